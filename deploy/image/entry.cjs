// What the executable runs first. A script inside an executable cannot import() files, one that it loads can.
'use strict';

const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');

createRequire(process.execPath)(join(dirname(process.execPath), 'usr/lib/wasmdns/start.cjs'));
