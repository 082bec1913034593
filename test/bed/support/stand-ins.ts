/** What one real machine cannot have, in place of it. */
import type { Machine } from './machine.ts';
import { INSIDE } from './space.ts';

export interface SaidOfItself {
  /** In place of an engine that no package has any more. */
  version?: string;
  /** In place of a clock of its own: namespaces share that of the machine. */
  clockOffsetMs?: number;
}

/** The engine of a machine, with something else in what it says of itself. Returns its address. */
export async function engineThatSays(
  machine: Machine,
  name: string,
  { version, clockOffsetMs = 0 }: SaidOfItself,
): Promise<string> {
  const socket = `${INSIDE}/${name}.sock`;
  const program = `
    const version = ${JSON.stringify(version ?? '')};
    const { createServer, request } = require('node:http');
    createServer((asked, reply) => {
      const { method, url, headers } = asked;
      const out = request({ socketPath: '/var/run/docker.sock', method, path: url, headers, agent: false }, (answer) => {
        if (!/\\/(?:version|info)(?:\\?|$)/.test(url)) {
          reply.writeHead(answer.statusCode, answer.headers);
          return answer.pipe(reply);
        }
        let text = '';
        answer.setEncoding('utf8').on('data', (part) => (text += part)).on('end', () => {
          const said = JSON.parse(text);
          if (version && said.Version) said.Version = version;
          if (version && said.ServerVersion) said.ServerVersion = version;
          for (const part of said.Components ?? []) if (version && part.Name === 'Engine') part.Version = version;
          if (said.SystemTime) said.SystemTime = new Date(Date.parse(said.SystemTime) + ${clockOffsetMs}).toISOString();
          reply.writeHead(answer.statusCode, { 'content-type': 'application/json' }).end(JSON.stringify(said));
        });
      });
      out.on('error', () => reply.destroy());
      asked.pipe(out);
    }).listen('${socket}');`;
  await machine.run('rm', '-f', socket);
  await machine.space.start(name, [process.execPath, '-e', program]);
  return `unix://${socket}`;
}

const FLAG = `${INSIDE}/no-emulation`;
const RUNTIME = `${INSIDE}/bin/runc`;

/**
 * In place of a kernel whose emulation comes and goes, because the kernel of the bed is that of the machine: a runtime that
 * ends programs of other processors as such a kernel does. Restarts the engine with it.
 */
export async function runtimeWithoutEmulation(
  machine: Machine,
): Promise<{ begin(): Promise<void>; end(): Promise<void> }> {
  const real = (await machine.run('sh', '-c', 'command -v runc')).trim();
  const script = `#!/bin/sh
bundle=
before=
for word in "$@"; do
  [ "$before" = --bundle ] && bundle=$word
  before=$word
done
if [ -n "$bundle" ] && [ -e ${FLAG} ]; then
  config=$bundle/config.json
  root=$(grep -o '"root":{"path":"[^"]*' "$config" | head -n 1 | cut -d '"' -f 6)
  program=$(grep -o '"args":."[^"]*' "$config" | head -n 1 | cut -d '"' -f 4)
  processor=$(od -An -tx1 -j18 -N2 "$root$program" 2>/dev/null | tr -d ' ')
  case "$processor" in 2800 | b700)
    sed -i 's#"args":\\[[^]]*\\]#"args":["/bin/sh","-c","echo exec format error; exit 1"]#' "$config" ;;
  esac
fi
exec ${real} "$@"
`;
  await machine.write(RUNTIME, script, 0o755);
  await machine.stopEngine();
  await machine.startEngine({ args: ['--add-runtime', `bed=${RUNTIME}`, '--default-runtime', 'bed'] });
  return {
    begin: async () => void (await machine.run('rm', '-f', FLAG)),
    end: async () => void (await machine.run('touch', FLAG)),
  };
}
