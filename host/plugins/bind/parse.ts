// bind ADDRESS|INTERFACE... { except ADDRESS|INTERFACE... }

import type { DirectiveReader, Line } from '../../corefile/reader.ts';

export type BindConfig = {
  /** One for each `bind` line; together they make the list. */
  readonly lists: readonly BindList[];
};

/** Words as written: which of them are interfaces is seen when the addresses are needed. */
export type BindList = {
  readonly words: readonly string[];
  readonly except: readonly string[];
};

export function parseBind(reader: DirectiveReader): BindConfig {
  return { lists: reader.each((line) => listOf(reader, line)) };
}

function listOf(reader: DirectiveReader, line: Line): BindList {
  const { word, args } = line;
  if (args.length === 0) throw reader.error(word, 'at least one address or interface name is expected');
  // As in CoreDNS, the last `except` counts
  let except: readonly string[] = [];
  reader.properties(
    {
      except: (property) => {
        if (property.args.length === 0) {
          throw reader.error(property.word, 'at least one address or interface must be given to except subdirective');
        }
        except = property.args.map(({ text }) => text);
      },
    },
    (option, known) => reader.unknownWord(option, `invalid option ${JSON.stringify(option.text)}`, known),
  );
  return { words: args.map(({ text }) => text), except };
}
