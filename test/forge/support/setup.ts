/** Starts the Gitea and the davit of all stories, once, if the part is there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { giteaPart } from '../../parts/gitea.ts';
import { findPart } from '../../parts/part.ts';
import { davitAt, sweep } from '../../support/davit.ts';
import { freePort } from '../../support/port.ts';
import { prepareGitea, startGitea, stopGitea, urlOf, type GiteaPlace } from './gitea.ts';
import { PROJECTS } from './projects.ts';
import { giteaApi, ORGANISATION, PEOPLE, SECRETS, WEBHOOK_SECRET } from './world.ts';

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const part = await findPart(giteaPart);
  if (part === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'davit-forge-'));
  const gitea = { part, folder: join(folder, 'gitea'), port: await freePort() };
  const home = join(folder, 'home');
  const stop = async (): Promise<void> => {
    await davitAt(home).cli(['down']);
    sweep(home);
    await stopGitea(gitea);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    prepareGitea(gitea, PEOPLE.owner);
    await startGitea(gitea);
    const botToken = await makeTeam(gitea);
    writeInstallation(home, { gitea, botToken });
    const up = await davitAt(home).cli(['up', '--detach']);
    if (up.code !== 0) throw new Error(`davit up: ${up.stderr}`);
    project.provide('forge', { gitea, home, botToken });
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** People, an organisation whose teams see all of its repositories, and the token of the bot. */
async function makeTeam(gitea: GiteaPlace): Promise<string> {
  for (const { name, secret } of [PEOPLE.writer, PEOPLE.stranger, PEOPLE.bot]) {
    const user = {
      username: name,
      email: `${name}@example.com`,
      password: secret,
      must_change_password: false,
    };
    await giteaApi(gitea, ['POST', 'admin/users', user]);
  }
  await giteaApi(gitea, ['POST', 'orgs', { username: ORGANISATION, visibility: 'private' }]);
  const teams = { write: [PEOPLE.writer, PEOPLE.bot], read: [PEOPLE.stranger] };
  for (const [permission, members] of Object.entries(teams)) {
    const code = ['repo.code', 'repo.pulls', 'repo.releases'];
    const units = permission === 'write' ? [...code, 'repo.packages'] : code;
    const team = { name: `team-${permission}`, permission, includes_all_repositories: true, units };
    const { id } = await giteaApi<{ id: number }>(gitea, ['POST', `orgs/${ORGANISATION}/teams`, team]);
    for (const { name } of members) await giteaApi(gitea, ['PUT', `teams/${id}/members/${name}`]);
  }
  const token = { name: 'davit', scopes: ['write:repository', 'write:package'] };
  const made = await giteaApi<{ sha1: string }>(gitea, ['POST', 'users/bot/tokens', token], PEOPLE.bot);
  return made.sha1;
}

function writeInstallation(home: string, { gitea, botToken }: { gitea: GiteaPlace; botToken: string }): void {
  const secrets = join(home, '..', 'secrets');
  mkdirSync(secrets, { mode: 0o700 });
  mkdirSync(home, { mode: 0o700 });
  const secret = (name: string, value: string): string => {
    writeFileSync(join(secrets, name), value, { mode: 0o600 });
    return `file:${join(secrets, name)}`;
  };
  const token = secret('bot-token', botToken);
  const webhook = secret('webhook', WEBHOOK_SECRET);
  const variables = {
    PLAIN_SECRET: { secret: secret('plain', SECRETS.plain) },
    PROTECTED_SECRET: { secret: secret('protected', SECRETS.protected), protected: true },
  };
  const projects = Object.entries(PROJECTS).map(([name, more]) => ({
    name,
    forge: 'gitea',
    forge_url: urlOf(gitea),
    forge_token: token,
    repository: `${ORGANISATION}/${name}`,
    clone_url: `${urlOf(gitea)}/${ORGANISATION}/${name}.git`,
    clone_user: PEOPLE.bot.name,
    clone_token: token,
    webhook_secret: webhook,
    variables,
    reconcile: false,
    ...more,
  }));
  const registry = {
    host: new URL(urlOf(gitea)).host,
    username: PEOPLE.bot.name,
    password: token,
    default: true,
    paths: 'repository',
  };
  // One machine for everything: forks run here too, in the image of all stories.
  const worker = { forks: true, fork_images: ['davit/helper:*'] };
  writeFileSync(join(home, 'worker.yml'), JSON.stringify(worker), { mode: 0o600 });
  const installation = { projects, registries: [registry] };
  writeFileSync(join(home, 'davit.config.yml'), JSON.stringify(installation, undefined, 2), { mode: 0o600 });
}
