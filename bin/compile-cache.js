// Compiled code is kept between starts: without it, two threads of the store and the service each strip the types
// anew, at 200 ms of CPU and 30 MB. The threads learn of it from the environment. Beside the packages, since a folder
// that others can write could bring foreign code.
//
// No TypeScript, and loaded by `node --import`: for the first file with types that is not in the cache Node loads a
// compiler of 13 MB that stays, and that file would be the command itself.

import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

process.env.NODE_COMPILE_CACHE ||= join(import.meta.dirname, '../node_modules/.cache/nds');
enableCompileCache(process.env.NODE_COMPILE_CACHE);
