// What a template is made of, and how Go prints it again: error messages and a metric's label quote it.

export interface Place {
  /** Offset in the template. */
  readonly at: number;
}

export type Node = TextNode | ActionNode | BranchNode | CallNode | JumpNode;

export interface TextNode extends Place {
  readonly node: 'text';
  readonly text: string;
}
export interface ActionNode extends Place {
  readonly node: 'action';
  readonly pipe: Pipe;
}
export interface BranchNode extends Place {
  readonly node: 'if' | 'with' | 'range';
  readonly pipe: Pipe;
  readonly list: readonly Node[];
  readonly otherwise: readonly Node[] | undefined;
}
/** `{{template "name" pipe}}` */
export interface CallNode extends Place {
  readonly node: 'template';
  readonly name: string;
  readonly pipe: Pipe | undefined;
}
export interface JumpNode extends Place {
  readonly node: 'break' | 'continue';
}

export interface Pipe extends Place {
  readonly node: 'pipe';
  /** `$a` or `$i, $a` in front. */
  readonly variables: readonly string[];
  readonly isAssignment: boolean;
  readonly commands: readonly Command[];
}
export interface Command extends Place {
  readonly node: 'command';
  readonly words: readonly Word[];
}
export type Word = Pipe | Identifier | Variable | Field | Chain | Literal | NumberWord;

export interface Identifier extends Place {
  readonly node: 'identifier';
  readonly name: string;
}
/** `$x.a.b` */
export interface Variable extends Place {
  readonly node: 'variable';
  readonly name: string;
  readonly fields: readonly string[];
}
/** `.a.b` */
export interface Field extends Place {
  readonly node: 'field';
  readonly fields: readonly string[];
}
/** `(pipe).a.b` */
export interface Chain extends Place {
  readonly node: 'chain';
  readonly head: Word;
  readonly fields: readonly string[];
}
export interface Literal extends Place {
  readonly node: 'dot' | 'nil' | 'bool' | 'string';
  /** As written. */
  readonly source: string;
  readonly value: string | boolean | undefined;
}
export interface NumberWord extends Place {
  readonly node: 'number';
  readonly source: string;
  /** Present if the number is integral. */
  readonly integer: bigint | undefined;
  readonly float: number;
  /** Written with a point or an exponent. */
  readonly isFloat: boolean;
}

export function listText(nodes: readonly Node[]): string {
  return nodes.map(nodeText).join('');
}

export function nodeText(node: Node | Word | Command): string {
  switch (node.node) {
    case 'text':
      return node.text;
    case 'action':
      return `{{${pipeText(node.pipe)}}}`;
    case 'if':
    case 'with':
    case 'range': {
      const otherwise = node.otherwise === undefined ? '' : `{{else}}${listText(node.otherwise)}`;
      return `{{${node.node} ${pipeText(node.pipe)}}}${listText(node.list)}${otherwise}{{end}}`;
    }
    case 'template':
      return `{{template ${JSON.stringify(node.name)}${node.pipe === undefined ? '' : ` ${pipeText(node.pipe)}`}}}`;
    case 'break':
    case 'continue':
      return `{{${node.node}}}`;
    case 'command':
      return node.words.map(wordText).join(' ');
    case 'pipe':
      return pipeText(node);
    default:
      return wordText(node);
  }
}

function pipeText(pipe: Pipe): string {
  const commands = pipe.commands.map(nodeText).join(' | ');
  if (pipe.variables.length === 0) return commands;
  return `${pipe.variables.join(', ')} ${pipe.isAssignment ? '=' : ':='} ${commands}`;
}

function wordText(word: Word): string {
  switch (word.node) {
    case 'pipe':
      return `(${pipeText(word)})`;
    case 'identifier':
      return word.name;
    case 'variable':
      return [word.name, ...word.fields].join('.');
    case 'field':
      return fieldsText(word.fields);
    case 'chain':
      return wordText(word.head) + fieldsText(word.fields);
    default:
      return word.source;
  }
}

function fieldsText(fields: readonly string[]): string {
  return fields.map((field) => `.${field}`).join('');
}
