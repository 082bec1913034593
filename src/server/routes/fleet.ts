/** The machines of the installation, for people: what they are and find, whether they take jobs, and how one is taken out. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { nameOf, stateOf } from '../../plan/model/fleet.ts';
import { userOf } from '../access.ts';
import { mayAs } from '../auth.ts';
import type { ChecksAsked, DrainResponse, FleetMachine, FleetView, RemoveResponse } from '../api.ts';
import type { ServerDeps } from '../deps.ts';

const name = z.string().min(1).max(256);
const drainBody = z.strictObject({ name, off: z.boolean().default(false) });
const removeBody = z.strictObject({ name, force: z.boolean().default(false) });

export function fleetRoutes(app: FastifyInstance, deps: ServerDeps): void {
  const operator = { config: { access: 'operator' } } as const;
  app.get('/api/v1/fleet', { config: { access: 'reader' } }, async (request): Promise<FleetView> => {
    const isOperator = mayAs(userOf(request).role, 'operator');
    const [up, space, certificate] = await Promise.all([
      deps.workflows.healthy(),
      deps.storeSpace(),
      deps.certificateTrouble(),
    ]);
    return {
      now: Date.now(),
      server: { version: deps.version, temporal: up ? 'up' : 'down', space, certificate },
      machines: machinesOf(deps),
      refused: isOperator ? deps.refusedCalls.list() : [],
    };
  });
  app.post(
    '/api/v1/fleet/checks',
    operator,
    async (): Promise<ChecksAsked> => ({
      since: deps.fleet.askForChecks(),
    }),
  );
  app.post('/api/v1/fleet/drain', operator, async (request): Promise<DrainResponse> => {
    const { name: of, off } = drainBody.parse(request.body);
    mustBeKnown(deps, of);
    await deps.fleet.drain(of, off ? undefined : userOf(request).name);
    const running = reportsOf(deps, of).flatMap((one) => one.running ?? []);
    return { name: of, draining: !off, running };
  });
  app.post('/api/v1/fleet/remove', operator, async (request): Promise<RemoveResponse> => {
    const { name: of, force } = removeBody.parse(request.body);
    const known = mustBeKnown(deps, of);
    const hostNames = [
      ...new Set(known.flatMap(({ report, seen }) => [report?.hostName ?? seen?.hostName ?? of])),
    ];
    await deps.fleet.remove(of, force);
    const revoked = await deps.workerTokens.revoke(of, undefined, userOf(request).name);
    return { revoked, hostNames };
  });
}

const reportsOf = ({ fleet }: ServerDeps, of: string) => fleet.all().filter((one) => nameOf(one) === of);

function machinesOf({ fleet, tokens }: ServerDeps): FleetMachine[] {
  const withToken = new Set(tokens.machines());
  const owned = (of: string): Pick<FleetMachine, 'hasToken'> => (withToken.has(of) ? { hasToken: true } : {});
  const live = fleet.all().map(
    (report): FleetMachine => ({
      name: nameOf(report),
      state: stateOf(report),
      report,
      ...owned(nameOf(report)),
    }),
  );
  const gone = fleet
    .gone()
    .map((seen): FleetMachine => ({ name: seen.name, state: 'gone', seen, ...owned(seen.name) }));
  const known = new Set([...live, ...gone].map((one) => one.name));
  const hasWorker = (of: string): boolean =>
    known.has(of) || [...known].some((one) => one.startsWith(`${of}/`));
  const never = [...withToken]
    .filter((of) => !hasWorker(of))
    .map((of): FleetMachine => ({ name: of, state: 'never seen', hasToken: true }));
  return [...live, ...gone, ...never].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function mustBeKnown(deps: ServerDeps, of: string): FleetMachine[] {
  const all = machinesOf(deps);
  const found = all.filter((one) => one.name === of);
  if (found.length > 0) return found;
  const names = [...new Set(all.map((one) => one.name))].slice(0, 20).join(', ');
  throw new DavitError('not-found', `There is no machine named ${of}.`, {
    hint: names === '' ? 'No worker has reported yet.' : `\`davit worker list\` shows them: ${names}.`,
  });
}
