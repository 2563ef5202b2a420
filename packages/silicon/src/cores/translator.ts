import type { CodeIndex } from './code-index.ts';
import type { FloatUnit } from './fpu.ts';
import type { CoreMemory } from './memory.ts';

export class Translator {
  constructor(_parts: { memory: CoreMemory; index: CodeIndex; fpu: FloatUnit }) {}
  run(): 'interpret' | 'done' { return 'done'; }
  translate(_address: number, _offset: number): void {}
  clear(): void {}
}
