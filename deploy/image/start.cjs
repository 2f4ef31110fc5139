// Beside the bundle, which is an ES module.
void import('./dist/wasmdns.js');
