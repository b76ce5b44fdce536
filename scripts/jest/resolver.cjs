const { existsSync } = require('node:fs');
const { resolve } = require('node:path');

/** Our sources name their neighbours by the compiled name (`./x.js`); under jest the neighbour is still `./x.ts`. */
module.exports = (request, options) => {
  if (/^\.{1,2}\/.*\.js$/.test(request)) {
    const base = resolve(options.basedir, request.slice(0, -3));
    for (const extension of ['.ts', '.tsx']) if (existsSync(base + extension)) return base + extension;
  }
  return options.defaultResolver(request, options);
};
