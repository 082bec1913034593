/**
 * A machine of workers without a davit of its own: whether the server is reached, knows the token, and what the
 * installation says that this machine must reach. It asks as a worker does.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { httpStores } from '../../adapters/http/index.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import type { InstallationFacts } from '../../installation-facts.ts';
import { fail, ok, type Fault, type Finding } from './check.ts';
import { isOfName } from './fleet-findings.ts';

const MIN_TOKEN = 16;
const PATIENCE_MS = 2_000;

export interface WorkerMachine {
  findings: Finding[];
  /** What the server says of the installation; undefined: it has not said it. */
  facts?: InstallationFacts;
}

/** Undefined: no worker of this machine is set up. Never rejects. */
export async function examineWorkerMachine(settings: Settings): Promise<WorkerMachine | undefined> {
  const { serverUrl: url } = settings;
  const file = tokenFile(settings);
  if (url === undefined || file === undefined) return undefined;
  let token: string;
  try {
    token = (await readFile(file, 'utf8')).trim();
  } catch {
    return { findings: [tokenFinding(`${file} cannot be read.`)] };
  }
  if (token.length < MIN_TOKEN) return { findings: [tokenFinding(`The token in ${file} is too short.`)] };
  const stores = httpStores({ url, workerToken: token, patienceMs: PATIENCE_MS });
  try {
    const facts = await stores.facts();
    const whose = facts.worker === undefined ? 'a control worker, or of the server itself' : facts.worker;
    return { findings: [ok('worker token', `${file}: the server knows it as that of ${whose}`)], facts };
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    return { findings: [refusalFinding(error, { url, file })] };
  } finally {
    await stores.close();
  }
}

/** The one that a worker here would use; undefined where none was set up. */
function tokenFile({ controlTokenFile, workerTokenFile }: Settings): string | undefined {
  if (controlTokenFile === undefined) return workerTokenFile;
  return [controlTokenFile, workerTokenFile].find((file) => existsSync(file));
}

const tokenFinding = (found: string): Finding => ({
  ...fail(
    'worker token',
    found,
    'On the server: davit worker token create NAME. Write the token into that file, mode 0600 and readable by the user of the worker, and start the worker again.',
  ),
  fault: 'wrong-token',
});

function refusalFinding(error: DavitError, { url, file }: { url: string; file: string }): Finding {
  const found = (name: string, text: string, remedy: string, fault?: Fault): Finding => ({
    ...fail(name, text, remedy),
    code: error.code,
    ...(fault && { fault }),
  });
  switch (error.code) {
    case 'auth/missing':
      return found('worker token', `${file}: ${error.message}`, error.hint, 'wrong-token');
    case 'auth/expired':
      return found('worker token', `${file}: ${error.message}`, error.hint, 'token-expired');
    case 'tls/untrusted':
      return isOfName(error.message)
        ? found(
            'server',
            error.message,
            `Write a name or address of the server into DAVIT_SERVER that its certificate is valid for, or make one for ${new URL(url).hostname} on the server: davit ca issue.`,
            'wrong-certificate-name',
          )
        : found('server', error.message, error.hint);
    case 'store/unreachable':
      return found(
        'server',
        `No server responds at ${url}.`,
        `Look whether it runs on its own machine. From here, curl -v ${url}/healthz shows how far a request gets: name, route, firewall, port. A server listens on its loopback only, unless \`listen\` of the installation file says otherwise.`,
        'server-unreachable',
      );
    default:
      return found('server', error.message, error.hint);
  }
}
