// What we use of the WebAssembly JavaScript API. Node has it, but its types leave it to the DOM library, which would
// bring a thousand browser names along.

declare namespace WebAssembly {
  interface ModuleImport {
    readonly module: string;
    readonly name: string;
    readonly kind: 'function' | 'table' | 'memory' | 'global';
  }
  interface ModuleExport {
    readonly name: string;
    readonly kind: 'function' | 'table' | 'memory' | 'global';
  }
  class Module {
    constructor(octets: Uint8Array);
    static imports(module: Module): ModuleImport[];
    static exports(module: Module): ModuleExport[];
  }
  class Instance {
    constructor(module: Module, imports?: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
  class Global<_Type = number> {
    value: number;
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: SharedArrayBuffer;
    grow(pages: number): number;
  }
}
