// Makes one file of the handler and all that it needs: `node infra/serverless/bundle.ts FILE.mjs`.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';
import { version } from '../../services/process/version.ts';

const root = join(import.meta.dirname, '../..');

/** The files that the program reads when it runs become part of it; the one way to them in the source is replaced. */
const filesInside: Plugin = {
  name: 'files inside',
  setup(building) {
    building.onLoad({ filter: /services[/]process[/]version[.]ts$/ }, () => ({
      ...{ loader: 'ts', contents: `export const version = ${JSON.stringify(version)};` },
    }));
    building.onLoad({ filter: /services[/]directory[/]redis[/]script[.]ts$/ }, async ({ path }) => {
      const reading = "readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8')";
      const source = await readFile(path, 'utf8');
      if (!source.includes(reading)) throw new Error(`${path} reads its scripts in another way than ${reading}`);
      const inside = `(${JSON.stringify(await luaScripts())} as Record<string, string>)[name] as string`;
      return { loader: 'ts', contents: source.replace(reading, () => inside) };
    });
  },
};

async function luaScripts(): Promise<Record<string, string>> {
  const folder = join(root, 'services/directory/redis/scripts');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.lua'));
  const texts = names.map(async (name) => [name.replace(/[.]lua$/, ''), await readFile(join(folder, name), 'utf8')]);
  return Object.fromEntries(await Promise.all(texts)) as Record<string, string>;
}

const [, , outfile] = process.argv;
if (outfile === undefined) {
  console.error('usage: node infra/serverless/bundle.ts FILE.mjs');
  process.exit(64);
}
await build({
  ...{ entryPoints: [join(import.meta.dirname, 'handler.ts')], outfile, plugins: [filesInside] },
  ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'warning' },
  // CommonJS packages inside ask for Node's modules in their way.
  banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" },
});
