// Looking into JSON that may hold anything: a wrong type reads as absent.

/** Own property of an object, undefined for everything else. */
export function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
    return undefined;
  return (value as Record<string, unknown>)[name];
}

export function text(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' ? found : '';
}

export function list(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}

/** The number as int32, undefined if it is none. */
export function integer(value: unknown, name: string): number | undefined {
  const found = field(value, name);
  return typeof found === 'number' ? found | 0 : undefined;
}
