// Runs a template over the data of one query. Bounded: so many steps, so much text, so deep; whatever exceeds a bound
// is a failed template, as Go's own limits are.

import { CallError, FUNCTIONS, type ParameterType, type TemplateFunction } from './functions.ts';
import type { BranchNode, Command, Node, NumberWord, Pipe, Place, Word } from './nodes.ts';
import { nodeText } from './nodes.ts';
import type { Template } from './parser.ts';
import {
  type Integer,
  integer,
  isTrue,
  type Struct,
  sortedEntries,
  typeOfValue,
  type Value,
  valueText,
} from './values.ts';

const STEPS_MAX = 100_000;
/** A record of 65535 octets written with an escape for each, and some room. */
const TEXT_MAX = 300_000;
const DEPTH_MAX = 200;

/** A template that fails for this query; the message is Go's. */
export class TemplateError extends Error {
  override name = 'TemplateError';
}

export function executeTemplate(template: Template, data: Struct): string {
  return new Interpreter(template, data).run();
}

type Jump = 'break' | 'continue' | undefined;
type Execution = Place & (Node | Word | Command);

/** The result of the command before in a pipeline; `false` = this is the first. */
type Final = { readonly value: Value } | false;

class Interpreter {
  readonly #template: Template;
  readonly #data: Struct;
  #variables: { name: string; value: Value }[] = [];
  #text = '';
  #steps = 0;
  #depth = 0;
  /** Name of the template being run. */
  #name: string;
  #node: Execution | undefined;

  constructor(template: Template, data: Struct) {
    this.#template = template;
    this.#data = data;
    this.#name = template.name;
  }

  run(): string {
    this.#variables = [{ name: '$', value: this.#data }];
    this.#list(this.#template.nodes, this.#data);
    return this.#text;
  }

  // ------------------------------------------------------------------------------------------------------ statements

  #list(nodes: readonly Node[], dot: Value): Jump {
    for (const node of nodes) {
      const jump = this.#walk(node, dot);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  #walk(node: Node, dot: Value): Jump {
    this.#step(node);
    switch (node.node) {
      case 'text':
        this.#write(node.text);
        return undefined;
      case 'action': {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length > 0) return undefined;
        this.#node = node;
        this.#write(this.#printed(node, value));
        return undefined;
      }
      case 'if':
      case 'with':
        return this.#ifOrWith(node, dot);
      case 'range':
        return this.#range(node, dot);
      case 'template':
        return this.#call(node.name, node.pipe, dot);
      default:
        return node.node;
    }
  }

  #step(node: Execution): void {
    this.#node = node;
    if (++this.#steps > STEPS_MAX) this.#fail(`exceeded ${STEPS_MAX} steps`);
  }

  #write(text: string): void {
    this.#text += text;
    if (this.#text.length > TEXT_MAX) this.#fail(`exceeded ${TEXT_MAX} octets`);
  }

  #printed(node: Node, value: Value): string {
    if (value === undefined) return '<no value>';
    if (typeof value === 'object' && value.kind === 'struct' && value.text === undefined) {
      this.#fail(`can't print ${nodeText(node)} of type ${value.type}`);
    }
    return valueText(value);
  }

  #ifOrWith(node: BranchNode, dot: Value): Jump {
    const mark = this.#variables.length;
    const value = this.#pipe(node.pipe, dot);
    let jump: Jump;
    if (isTrue(value)) jump = this.#list(node.list, node.node === 'with' ? value : dot);
    else if (node.otherwise !== undefined) jump = this.#list(node.otherwise, dot);
    this.#variables.length = mark;
    return jump;
  }

  #range(node: BranchNode, dot: Value): Jump {
    const start = this.#variables.length;
    const value = this.#pipe(node.pipe, dot);
    const mark = this.#variables.length;
    let count = 0;
    for (const [index, element] of this.#elements(value, node)) {
      count++;
      this.#step(node);
      this.#setRangeVariables(node.pipe, index, element, mark);
      const jump = this.#list(node.list, element);
      this.#variables.length = mark;
      if (jump === 'break') break;
    }
    let jump: Jump;
    if (count === 0 && node.otherwise !== undefined) jump = this.#list(node.otherwise, dot);
    this.#variables.length = start;
    return jump;
  }

  *#elements(value: Value, node: BranchNode): Generator<[Value, Value]> {
    if (value === undefined) return;
    if (typeof value === 'object' && value.kind === 'integer') {
      if (node.pipe.variables.length > 1) {
        this.#fail(`can't use ${valueText(value)} to iterate over more than one variable`);
      }
      for (let i = 0n; i < value.value; i++) yield [undefined, integer(i, value.type)];
    } else if (typeof value === 'object' && value.kind === 'list') {
      for (const [i, item] of value.items.entries()) yield [integer(i), item];
    } else if (typeof value === 'object' && value.kind === 'map') yield* sortedEntries(value);
    else this.#fail(`range can't iterate over ${valueText(value)}`);
  }

  #setRangeVariables(pipe: Pipe, index: Value, element: Value, mark: number): void {
    const { variables, isAssignment } = pipe;
    const [first, second] = variables;
    if (first === undefined) return;
    if (isAssignment) {
      this.#assign(first, second === undefined ? element : index);
      if (second !== undefined) this.#assign(second, element);
      return;
    }
    this.#variables[mark - 1]!.value = element;
    if (second !== undefined) this.#variables[mark - 2]!.value = index;
  }

  #call(name: string, pipe: Pipe | undefined, dot: Value): Jump {
    const nodes = this.#template.set.get(name);
    if (nodes === undefined) this.#fail(`template ${JSON.stringify(name)} not defined`);
    if (++this.#depth > DEPTH_MAX) this.#fail(`exceeded maximum template depth (${DEPTH_MAX})`);
    const value = pipe === undefined ? undefined : this.#pipe(pipe, dot);
    const variables = this.#variables;
    const caller = this.#name;
    this.#variables = [{ name: '$', value }];
    this.#name = name;
    this.#list(nodes!, value);
    this.#variables = variables;
    this.#name = caller;
    this.#depth--;
    return undefined;
  }

  // ------------------------------------------------------------------------------------------------------ expressions

  #pipe(pipe: Pipe, dot: Value): Value {
    this.#step(pipe);
    let final: Final = false;
    for (const command of pipe.commands) final = { value: this.#command(command, dot, final) };
    const value = final === false ? undefined : (final as { value: Value }).value;
    for (const name of pipe.variables) {
      if (pipe.isAssignment) this.#assign(name, value);
      else this.#variables.push({ name, value });
    }
    return value;
  }

  #assign(name: string, value: Value): void {
    const variable = this.#variables.findLast((each) => each.name === name);
    if (variable === undefined) this.#fail(`undefined variable: ${name}`);
    variable!.value = value;
  }

  #command(command: Command, dot: Value, final: Final): Value {
    const word = command.words[0]!;
    const args = command.words.slice(1);
    this.#step(word);
    if (word.node === 'identifier') return this.#function(word.name, command, args, dot, final);
    if (word.node === 'field') return this.#fields(dot, word, word.fields, args, dot, final);
    if (word.node === 'chain') return this.#chain(word, args, dot, final);
    if (word.node === 'variable' && word.fields.length > 0) {
      return this.#fields(this.#variable(word.name), word, word.fields, args, dot, final);
    }
    if (args.length > 0 || final !== false) this.#fail(`can't give argument to non-function ${nodeText(word)}`);
    if (word.node === 'nil') this.#fail('nil is not a command');
    return this.#word(word, dot);
  }

  /** A word without arguments. */
  #word(word: Word, dot: Value): Value {
    this.#step(word);
    switch (word.node) {
      case 'pipe':
        return this.#pipe(word, dot);
      case 'identifier':
        return this.#function(word.name, word, [], dot, false);
      case 'field':
        return this.#fields(dot, word, word.fields, [], dot, false);
      case 'chain':
        return this.#chain(word, [], dot, false);
      case 'variable': {
        const value = this.#variable(word.name);
        return word.fields.length === 0 ? value : this.#fields(value, word, word.fields, [], dot, false);
      }
      case 'number':
        return this.#constant(word);
      case 'dot':
        return dot;
      default:
        return word.value;
    }
  }

  #constant(word: NumberWord): Value {
    if (word.isFloat) return { kind: 'float', value: word.float };
    if (word.integer === undefined) return { kind: 'float', value: word.float };
    if (BigInt.asIntN(64, word.integer) !== word.integer) this.#fail(`${word.source} overflows int`);
    return integer(word.integer);
  }

  #variable(name: string): Value {
    const variable = this.#variables.findLast((each) => each.name === name);
    if (variable === undefined) this.#fail(`undefined variable: ${name}`);
    return variable!.value;
  }

  #chain(word: Word & { node: 'chain' }, args: readonly Word[], dot: Value, final: Final): Value {
    if (word.head.node === 'nil') this.#fail(`indirection through explicit nil in ${nodeText(word)}`);
    const value = this.#word(word.head, dot);
    return this.#fields(value, word, word.fields, args, dot, final);
  }

  #fields(from: Value, node: Word, fields: readonly string[], args: readonly Word[], dot: Value, final: Final): Value {
    let value = from;
    for (const [i, name] of fields.entries()) {
      const isLast = i === fields.length - 1;
      value = this.#field(value, name, node, isLast ? args : [], dot, isLast ? final : false);
    }
    return value;
  }

  #field(value: Value, name: string, node: Word, args: readonly Word[], dot: Value, final: Final): Value {
    this.#node = node;
    if (value === undefined) return undefined;
    const hasArguments = args.length > 0 || final !== false;
    if (typeof value === 'object' && value.kind === 'struct') {
      const method = value.methods?.[name];
      if (method !== undefined) return this.#method(name, method, node, args, dot, final);
      const field = Object.hasOwn(value.fields, name) ? value.fields[name] : undefined;
      if (field !== undefined) {
        if (hasArguments) this.#fail(`${name} has arguments but cannot be invoked as function`);
        return field();
      }
    } else if (typeof value === 'object' && value.kind === 'map') {
      if (hasArguments) this.#fail(`${name} is not a method but has arguments`);
      return value.entries.get(name);
    } else if (typeof value === 'object' && value.kind === 'nil') {
      this.#fail(`nil pointer evaluating ${value.type}.${name}`);
    }
    return this.#fail(`can't evaluate field ${name} in type ${typeOfValue(value)}`);
  }

  #method(
    name: string,
    method: (argument: string) => string,
    node: Word,
    args: readonly Word[],
    dot: Value,
    final: Final,
  ): Value {
    const called: TemplateFunction = { parameters: ['string'], call: ([argument]) => method(argument as string) };
    return this.#invoke(name, called, node, args, dot, final);
  }

  #function(name: string, node: Execution, args: readonly Word[], dot: Value, final: Final): Value {
    return this.#invoke(name, FUNCTIONS.get(name)!, node, args, dot, final);
  }

  #invoke(
    name: string,
    called: TemplateFunction,
    node: Execution,
    args: readonly Word[],
    dot: Value,
    final: Final,
  ): Value {
    const count = args.length + (final === false ? 0 : 1);
    const { parameters, rest } = called;
    if (rest === undefined && count !== parameters.length) {
      this.#fail(`wrong number of args for ${name}: want ${parameters.length} got ${count}`);
    }
    if (count < parameters.length) {
      this.#fail(`wrong number of args for ${name}: want at least ${parameters.length} got ${args.length}`);
    }
    if (name === 'and' || name === 'or') return this.#logic(name === 'or', args, dot, final);
    const values = args.map((arg, i) => this.#argument(arg, parameters[i] ?? rest!, dot));
    if (final !== false) values.push(this.#checked(final.value, parameters[count - 1] ?? rest!));
    if (name === 'call') {
      const callee = args[0] === undefined ? 'value' : nodeText(args[0]);
      this.#node = node;
      const reason =
        values[0] === undefined ? 'call of nil' : `non-function ${callee} of type ${typeOfValue(values[0])}`;
      this.#fail(`error calling call: ${reason}`);
    }
    try {
      return this.#bounded(called.call(values));
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#node = node;
      return this.#fail(`error calling ${name}: ${error.message}`);
    }
  }

  #bounded(value: Value): Value {
    if (typeof value === 'string' && value.length > TEXT_MAX) this.#fail(`exceeded ${TEXT_MAX} octets`);
    return value;
  }

  /** Stops at the first argument that decides. */
  #logic(isOr: boolean, args: readonly Word[], dot: Value, final: Final): Value {
    let value: Value;
    for (const arg of args) {
      value = this.#argument(arg, 'value', dot);
      if (isTrue(value) === isOr) return value;
    }
    return final === false ? value : final.value;
  }

  #argument(word: Word, type: ParameterType, dot: Value): Value {
    this.#node = word;
    if (word.node === 'nil') {
      if (type === 'string' || type === 'int') this.#fail(`cannot assign nil to ${type}`);
      return undefined;
    }
    if (type === 'int' && word.node === 'number' && word.integer !== undefined) return integer(word.integer);
    if (type === 'string' && ['bool', 'number'].includes(word.node))
      this.#fail(`expected string; found ${nodeText(word)}`);
    if (type === 'int' && ['bool', 'string', 'number'].includes(word.node)) {
      this.#fail(`expected integer; found ${nodeText(word)}`);
    }
    return this.#checked(this.#word(word, dot), type);
  }

  #checked(value: Value, type: ParameterType): Value {
    if (type === 'value' || type === 'any') return value;
    if (value === undefined) this.#fail(`invalid value; expected ${type}`);
    const isRight = type === 'string' ? typeof value === 'string' : isInt(value);
    if (!isRight) this.#fail(`wrong type for value; expected ${type}; got ${typeOfValue(value)}`);
    return value;
  }

  #fail(text: string): never {
    const node = this.#node;
    if (node === undefined) throw new TemplateError(`template: ${this.#name}: ${text}`);
    const before = this.#template.text.slice(0, node.at);
    const line = before.split('\n').length;
    const column = before.length - (before.lastIndexOf('\n') + 1);
    const place = `${this.#template.name}:${line}:${column}`;
    throw new TemplateError(
      `template: ${place}: executing ${JSON.stringify(this.#name)} at <${nodeText(node)}>: ${text}`,
    );
  }
}

function isInt(value: Value): value is Integer {
  return typeof value === 'object' && value.kind === 'integer' && value.type === 'int';
}
