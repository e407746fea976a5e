// Makes one file of the handler and all that it needs: `npx node infra/serverless/bundle.ts FILE.mjs`.
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';
import { version } from '../../services/process/version.ts';

/** The sources that read Lua scripts, and how they do so. */
const scripted = /services[/](directory[/]redis[/]script|events[/]tree-scripts|changes[/]counts)[.]ts$/;
const reading = /readFileSync\(new URL\(([`'][^`']+[`']), import\.meta\.url\), 'utf8'\)/;

/** The files that the program reads when it runs become part of it; the one way to them in the source is replaced. */
const filesInside: Plugin = {
  name: 'files inside',
  setup(building) {
    building.onLoad({ filter: /services[/]process[/]version[.]ts$/ }, () => ({
      ...{ loader: 'ts', contents: `export const version = ${JSON.stringify(version)};` },
    }));
    building.onLoad({ filter: scripted }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      if (!reading.test(source)) throw new Error(`${path} reads its scripts in another way than ${reading.source}`);
      const inside = `(${JSON.stringify(await luaScripts(dirname(path)))} as Record<string, string>)`;
      return { loader: 'ts', contents: source.replace(reading, (_, name: string) => `(${inside}[${name}] as string)`) };
    });
  },
};

/** The scripts beside a source, by the name that it reads them by. */
async function luaScripts(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(join(folder, 'scripts'))).map((name) => `scripts/${name}`);
  const texts = names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')]);
  return Object.fromEntries(await Promise.all(texts)) as Record<string, string>;
}

const [, , outfile] = process.argv;
if (outfile === undefined) {
  console.error('usage: npx node infra/serverless/bundle.ts FILE.mjs');
  process.exit(64);
}
await build({
  ...{ entryPoints: [join(import.meta.dirname, 'handler.ts')], outfile, plugins: [filesInside] },
  ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'warning' },
  // CommonJS packages inside ask for Node's modules in their way.
  banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" },
});
