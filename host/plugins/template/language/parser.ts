// From a template's text to its nodes, with the errors of Go's text/template/parse.

import { type Item, type ItemKind, TemplateSyntaxError, templateItems } from './lexer.ts';
import { parseNumber, parseRune, unquote } from './literals.ts';
import type { BranchNode, Command, Node, Pipe, Word } from './nodes.ts';
import { nodeText } from './nodes.ts';

export interface Template {
  readonly name: string;
  readonly text: string;
  readonly nodes: readonly Node[];
  /** Templates made by `define` and `block`, and the template itself, by name. */
  readonly set: ReadonlyMap<string, readonly Node[]>;
}

/** Parentheses and blocks within each other: the parser calls itself. */
const DEPTH_MAX = 200;

/** Throws TemplateSyntaxError: `template: NAME:LINE: TEXT`. */
export function parseTemplate(name: string, text: string, functions: ReadonlySet<string>): Template {
  return new Parser(name, text, functions).run();
}

/** What ended a list of nodes. */
type ListEnd = 'end' | 'else' | 'else if' | 'else with';

class Parser {
  readonly #name: string;
  readonly #text: string;
  readonly #functions: ReadonlySet<string>;
  readonly #items: readonly Item[];
  readonly #set = new Map<string, readonly Node[]>();
  #at = 0;
  #variables = ['$'];
  #rangeDepth = 0;
  #depth = 0;
  /** Blocks within each other. */
  #listDepth = 0;

  constructor(name: string, text: string, functions: ReadonlySet<string>) {
    this.#name = name;
    this.#text = text;
    this.#functions = functions;
    this.#items = templateItems(text);
  }

  run(): Template {
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'end') {
      const node = this.#textOrAction();
      if (typeof node === 'string') this.#fail(`unexpected {{${node === 'end' ? 'end' : 'else'}}}`);
      if (node !== undefined) nodes.push(node as Node);
    }
    this.#define(this.#name, nodes);
    return { name: this.#name, text: this.#text, nodes: this.#set.get(this.#name) ?? nodes, set: this.#set };
  }

  // ---------------------------------------------------------------------------------------------------------- items

  #peek(): Item {
    return this.#items[this.#at]!;
  }

  #next(): Item {
    const item = this.#peek();
    if (item.kind !== 'end' && item.kind !== 'error') this.#at++;
    return item;
  }

  #skipSpace(): void {
    while (this.#peek().kind === 'space') this.#at++;
  }

  #peekBehindSpace(): Item {
    this.#skipSpace();
    return this.#peek();
  }

  #nextBehindSpace(): Item {
    this.#skipSpace();
    return this.#next();
  }

  #expect(kind: ItemKind, context: string): Item {
    const item = this.#nextBehindSpace();
    if (item.kind !== kind) this.#unexpected(item, context);
    return item;
  }

  #unexpected(item: Item, context: string): never {
    if (item.kind === 'error') this.#failAt(item.at, item.text);
    const shown = item.kind === 'end' ? 'EOF' : item.kind === 'keyword' ? `<${item.text}>` : quotedShort(item.text);
    return this.#failAt(item.at, `unexpected ${shown} in ${context}`);
  }

  #fail(reason: string): never {
    return this.#failAt(this.#items[Math.max(0, this.#at - 1)]?.at ?? 0, reason);
  }

  #failAt(at: number, reason: string): never {
    const line = this.#text.slice(0, at).split('\n').length;
    throw new TemplateSyntaxError(`template: ${this.#name}:${line}: ${reason}`);
  }

  #deeper<T>(run: () => T): T {
    if (++this.#depth > DEPTH_MAX) this.#fail('max expression depth exceeded');
    const result = run();
    this.#depth--;
    return result;
  }

  // ---------------------------------------------------------------------------------------------------------- nodes

  /** A node, the end of a list, or nothing: a definition. */
  #textOrAction(): Node | ListEnd | undefined {
    const item = this.#next();
    if (item.kind === 'text') return { node: 'text', text: item.text, at: item.at };
    if (item.kind !== 'left') this.#unexpected(item, 'input');
    const word = this.#peekBehindSpace();
    if (word.kind !== 'keyword' || word.text === 'nil') {
      return { node: 'action', at: word.at, pipe: this.#pipe('command', 'right') };
    }
    this.#next();
    return this.#deeper(() => this.#keyword(word));
  }

  #keyword(word: Item): Node | ListEnd | undefined {
    const { text, at } = word;
    switch (text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(text, at);
      case 'end':
        this.#expect('right', 'end');
        return 'end';
      case 'else':
        return this.#else();
      case 'break':
      case 'continue': {
        const item = this.#nextBehindSpace();
        if (item.kind !== 'right') this.#unexpected(item, `{{${text}}}`);
        if (this.#rangeDepth === 0) this.#fail(`{{${text}}} outside {{range}}`);
        return { node: text, at };
      }
      case 'template':
        return this.#call();
      case 'block':
        return this.#block();
      default:
        // `define` stands at the top only
        if (text !== 'define' || this.#listDepth > 0) this.#unexpected(word, 'command');
        this.#definition();
        return undefined;
    }
  }

  #else(): ListEnd {
    const word = this.#peekBehindSpace();
    if (word.kind === 'keyword' && (word.text === 'if' || word.text === 'with')) return `else ${word.text}`;
    this.#expect('right', 'else');
    return 'else';
  }

  #list(): { nodes: Node[]; end: ListEnd } {
    const nodes: Node[] = [];
    this.#listDepth++;
    while (this.#peek().kind !== 'end') {
      const node = this.#textOrAction();
      if (typeof node === 'string') {
        this.#listDepth--;
        return { nodes, end: node };
      }
      if (node !== undefined) nodes.push(node);
    }
    return this.#fail('unexpected EOF');
  }

  #branch(node: 'if' | 'with' | 'range', at: number): BranchNode {
    const variables = this.#variables.length;
    const pipe = this.#pipe(node, 'right');
    if (node === 'range') this.#rangeDepth++;
    const { nodes: list, end } = this.#list();
    if (node === 'range') this.#rangeDepth--;
    const otherwise = end === 'end' ? undefined : this.#otherwise(node, end);
    this.#variables.length = variables;
    return { node, at, pipe, list, otherwise };
  }

  #otherwise(node: string, end: ListEnd): Node[] {
    if (end === `else ${node}`) {
      const word = this.#next();
      return [this.#deeper(() => this.#branch(word.text as 'if' | 'with', word.at))];
    }
    if (end !== 'else') this.#unexpected(this.#peek(), 'input');
    const { nodes, end: last } = this.#list();
    if (last !== 'end') this.#fail(`expected end; found {{else}}`);
    return nodes;
  }

  #call(): Node {
    const { at } = this.#peekBehindSpace();
    const name = this.#templateName('template clause');
    const isBare = this.#peekBehindSpace().kind === 'right';
    if (isBare) this.#next();
    return { node: 'template', at, name, pipe: isBare ? undefined : this.#pipe('template clause', 'right') };
  }

  #block(): Node {
    const { at } = this.#peekBehindSpace();
    const name = this.#templateName('block clause');
    const pipe = this.#pipe('block clause', 'right');
    this.#define(name, this.#ownList('block clause'));
    return { node: 'template', at, name, pipe };
  }

  #definition(): void {
    const name = this.#templateName('define clause');
    this.#expect('right', 'define clause');
    this.#define(name, this.#ownList('define clause'));
  }

  /** Nodes of another template: it sees no variables of this one. */
  #ownList(context: string): Node[] {
    const variables = this.#variables;
    const rangeDepth = this.#rangeDepth;
    this.#variables = ['$'];
    this.#rangeDepth = 0;
    const { nodes, end } = this.#list();
    if (end !== 'end') this.#fail(`unexpected {{else}} in ${context}`);
    this.#variables = variables;
    this.#rangeDepth = rangeDepth;
    return nodes;
  }

  #templateName(context: string): string {
    const item = this.#nextBehindSpace();
    if (item.kind !== 'string' && item.kind !== 'raw') this.#unexpected(item, context);
    return this.#unquoted(item);
  }

  #define(name: string, nodes: readonly Node[]): void {
    const known = this.#set.get(name);
    if (known === undefined || isEmpty(known)) this.#set.set(name, nodes);
    else if (!isEmpty(nodes)) this.#fail(`template: multiple definition of template ${JSON.stringify(name)}`);
  }

  // ------------------------------------------------------------------------------------------------------ pipelines

  #pipe(context: string, end: ItemKind): Pipe {
    const { at } = this.#peekBehindSpace();
    const { variables, isAssignment } = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const item = this.#peekBehindSpace();
      if (item.kind === end) {
        this.#next();
        break;
      }
      if (!startsOperand(item)) {
        this.#next();
        this.#unexpected(item, context);
      }
      commands.push(this.#command());
    }
    this.#checkPipe(commands, context);
    return { node: 'pipe', at, variables, isAssignment, commands };
  }

  #declarations(context: string): { variables: string[]; isAssignment: boolean } {
    const variables: string[] = [];
    // Bounds: at most two variables
    for (;;) {
      const start = this.#at;
      const variable = this.#peekBehindSpace();
      if (variable.kind !== 'variable') return { variables, isAssignment: false };
      this.#next();
      const sign = this.#peekBehindSpace();
      const isComma = sign.kind === 'character' && sign.text === ',';
      if (sign.kind !== '=' && sign.kind !== ':=' && !isComma) {
        this.#at = start;
        return { variables, isAssignment: false };
      }
      this.#next();
      variables.push(variable.text);
      this.#variables.push(variable.text);
      if (!isComma) return { variables, isAssignment: sign.kind === '=' };
      if (context !== 'range' || variables.length > 1) this.#fail(`too many declarations in ${context}`);
      const { kind } = this.#peekBehindSpace();
      if (kind !== 'variable' && kind !== 'right' && kind !== ')') this.#fail('range can only initialize variables');
    }
  }

  #checkPipe(commands: readonly Command[], context: string): void {
    if (commands.length === 0) this.#fail(`missing value for ${context}`);
    const wrong = commands.findIndex(({ words }, i) => i > 0 && isLiteral(words[0]!));
    if (wrong > 0) this.#fail(`non executable command in pipeline stage ${wrong + 1}`);
  }

  #command(): Command {
    const words: Word[] = [];
    const { at } = this.#peekBehindSpace();
    for (;;) {
      const operand = this.#operand();
      if (operand !== undefined) words.push(operand);
      const item = this.#next();
      if (item.kind === 'space') continue;
      if (item.kind === 'right' || item.kind === ')') this.#at--;
      else if (item.kind !== '|') this.#unexpected(item, 'operand');
      break;
    }
    if (words.length === 0) this.#fail('empty command');
    return { node: 'command', at, words };
  }

  #operand(): Word | undefined {
    const word = this.#term();
    if (word === undefined || this.#peek().kind !== 'field') return word;
    const { at } = this.#peek();
    const fields: string[] = [];
    while (this.#peek().kind === 'field') fields.push(this.#next().text.slice(1));
    if (word.node === 'field') return { ...word, at, fields: [...word.fields, ...fields] };
    if (word.node === 'variable') return { ...word, at, fields };
    if (isLiteral(word)) this.#fail(`unexpected . after term ${JSON.stringify(nodeText(word))}`);
    return { node: 'chain', at, head: word, fields };
  }

  #term(): Word | undefined {
    const item = this.#peekBehindSpace();
    const { at, text, kind } = item;
    if (!startsOperand(item)) return undefined;
    this.#next();
    switch (kind) {
      case 'identifier':
        if (!this.#functions.has(text)) this.#failAt(at, `function ${JSON.stringify(text)} not defined`);
        return { node: 'identifier', at, name: text };
      case 'variable':
        if (!this.#variables.includes(text)) this.#failAt(at, `undefined variable ${JSON.stringify(text)}`);
        return { node: 'variable', at, name: text, fields: [] };
      case 'field':
        return { node: 'field', at, fields: [text.slice(1)] };
      case '(':
        return this.#deeper(() => this.#pipe('parenthesized pipeline', ')'));
      case 'number':
      case 'rune': {
        const number = kind === 'number' ? parseNumber(text, at) : parseRune(text, at);
        if (typeof number === 'string') this.#failAt(at, number);
        return number;
      }
      case 'string':
      case 'raw':
        return { node: 'string', at, source: text, value: this.#unquoted(item) };
      case 'bool':
        return { node: 'bool', at, source: text, value: text === 'true' };
      default:
        return { node: kind === 'dot' ? 'dot' : 'nil', at, source: text, value: undefined };
    }
  }

  #unquoted(item: Item): string {
    return unquote(item.text) ?? this.#failAt(item.at, 'invalid syntax');
  }
}

function startsOperand({ kind, text }: Item): boolean {
  if (kind === 'keyword') return text === 'nil';
  return ['bool', 'rune', 'dot', 'field', 'identifier', 'number', 'raw', 'string', 'variable', '('].includes(kind);
}

function isLiteral({ node }: Word): boolean {
  return ['bool', 'dot', 'nil', 'number', 'string'].includes(node);
}

function isEmpty(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.node === 'text' && node.text.trim() === '');
}

/** `"text"`, cut behind ten characters. */
function quotedShort(text: string): string {
  return text.length > 10 ? `${JSON.stringify(text.slice(0, 10))}...` : JSON.stringify(text);
}
