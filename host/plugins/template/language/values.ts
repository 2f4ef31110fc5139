// Go's values as templates see them, and how Go prints them.
//
//   string   JS string of octets        bool   JS boolean        no value   undefined
//   numbers, lists, maps, structs, nil pointers and functions of structs   objects with Go's type name

export type Value = string | boolean | undefined | Integer | Float | List | Dictionary | Struct | NilPointer;

export interface Integer {
  readonly kind: 'integer';
  readonly type: 'int' | 'uint64' | 'uint32' | 'uint16' | 'uint8';
  readonly value: bigint;
}
export interface Float {
  readonly kind: 'float';
  readonly value: number;
}
export interface List {
  readonly kind: 'list';
  readonly type: string;
  readonly items: readonly Value[];
}
export interface Dictionary {
  readonly kind: 'map';
  readonly type: string;
  readonly entries: ReadonlyMap<string, string>;
}
export interface Struct {
  readonly kind: 'struct';
  readonly type: string;
  readonly fields: Readonly<Record<string, () => Value>>;
  /** Methods with one string argument. */
  readonly methods?: Readonly<Record<string, (argument: string) => string>>;
  /** Text of its String method. */
  readonly text?: (() => string) | undefined;
}
/** Printed as `<nil>`, and false. */
export interface NilPointer {
  readonly kind: 'nil';
  readonly type: string;
}

export function integer(value: number | bigint, type: Integer['type'] = 'int'): Integer {
  return { kind: 'integer', type, value: BigInt(value) };
}

export function typeOfValue(value: Value): string {
  if (value === undefined) return 'nil';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (value.kind === 'float') return 'float64';
  return value.type;
}

export function isTrue(value: Value): boolean {
  if (value === undefined) return false;
  if (typeof value === 'string') return value !== '';
  if (typeof value === 'boolean') return value;
  switch (value.kind) {
    case 'integer':
      return value.value !== 0n;
    case 'float':
      return value.value !== 0;
    case 'list':
      return value.items.length > 0;
    case 'map':
      return value.entries.size > 0;
    default:
      return value.kind === 'struct';
  }
}

/** Go's `%v`. */
export function valueText(value: Value): string {
  if (value === undefined) return '<nil>';
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  switch (value.kind) {
    case 'integer':
      return value.value.toString();
    case 'float':
      return floatText(value.value);
    case 'list':
      return `[${value.items.map(valueText).join(' ')}]`;
    case 'map':
      return `map[${sortedEntries(value)
        .map(([key, entry]) => `${key}:${entry}`)
        .join(' ')}]`;
    case 'struct':
      return (
        value.text?.() ??
        `{${Object.values(value.fields)
          .map((field) => valueText(field()))
          .join(' ')}}`
      );
    case 'nil':
      return '<nil>';
  }
}

export function sortedEntries(map: Dictionary): [string, string][] {
  return [...map.entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** fmt.Sprint: a space between two operands that are both no strings. */
export function sprint(values: readonly Value[]): string {
  let text = '';
  values.forEach((value, i) => {
    if (i > 0 && typeof value !== 'string' && typeof values[i - 1] !== 'string') text += ' ';
    text += valueText(value);
  });
  return text;
}

/** The shortest form, with an exponent below 1e-4 and from 1e6 on. */
function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const magnitude = Math.abs(value);
  if (magnitude < 1e-4 || magnitude >= 1e6) return withExponent(value.toExponential());
  return String(value);
}

/** JS writes e+5, Go e+05. */
export function withExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}
