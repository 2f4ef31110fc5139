// A thread that begins while the memory grows: see growth.test.ts.

import { parentPort, workerData } from 'node:worker_threads';
import { instantiateEngine } from '../../host/engine/load.ts';

const { module, memory } = workerData as { module: WebAssembly.Module; memory: WebAssembly.Memory };
instantiateEngine(module, memory);
parentPort!.on('message', () => parentPort!.postMessage(memory.buffer.byteLength));
