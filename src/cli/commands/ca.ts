/** `davit ca`: an authority of davit's own, and the certificates that it issues. */
import type { Command } from 'commander';
import { Option } from 'commander';
import {
  authorityFolder,
  CERTIFICATE_KINDS,
  createAuthority,
  issueCertificate,
  listCertificates,
  type CertificateFacts,
  type CertificateKind,
} from '../../local/authority/authority.ts';
import { DavitError } from '../../errors.ts';
import { printJson, type Cli } from '../cli.ts';
import { count } from '../options.ts';
import { plainText } from '../view/terminal-text.ts';

const DAYS = 397;
/** Readable for the users of other containers, which see the folder alone. */
const SHARED_KEY = 0o644;

interface IssueOptions {
  for: CertificateKind;
  host: string[];
  days: number;
  out?: string;
  keep?: number;
  shared?: boolean;
  json?: boolean;
}

export function caCommand(program: Command, cli: Cli): void {
  const ca = program
    .command('ca')
    .description("an authority of davit's own for certificates of server, registry, workers and Temporal")
    .addHelpText(
      'after',
      `
The authority is in DAVIT_HOME/ca: ca.crt is for every machine (DAVIT_CA_FILE), ca.key stays here.

Example:
  $ davit ca init
  $ davit ca issue server --for server --host ci.example.com
  $ davit ca show`,
    );
  initCommand(ca, cli);
  issueCommand(ca, cli);
  ca.command('show')
    .description('show the authority and its certificates: fingerprints, names, when they end')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  $ davit ca show')
    .action(async (options: { json?: boolean }) => {
      const found = await listCertificates(authorityFolder(cli.settings));
      if (options.json) return printJson(cli, found);
      for (const one of found) cli.io.out(text(one));
    });
}

function initCommand(ca: Command, cli: Cli): void {
  ca.command('init')
    .description('create the authority')
    .option('--name <text>', 'its name in certificates', 'davit')
    .option('--if-missing', 'an authority that exists is fine')
    .addHelpText('after', '\nExample:\n  $ davit ca init --name "davit of the workshop"')
    .action(async (options: { name: string; ifMissing?: boolean }) => {
      try {
        cli.io.out(text(await createAuthority(authorityFolder(cli.settings), options.name)));
      } catch (error) {
        if (!(options.ifMissing && error instanceof DavitError && error.code === 'ca/exists')) throw error;
      }
    });
}

function issueCommand(ca: Command, cli: Cli): void {
  ca.command('issue')
    .description('issue a certificate: NAME.crt and NAME.key; a renewed one keeps its key')
    .argument('<name>', 'name of the files, and of the subject')
    .addOption(new Option('--for <kind>', 'what it is for').choices(CERTIFICATE_KINDS).makeOptionMandatory())
    .option(
      '--host <name>',
      'a DNS name or address that it is valid for (repeatable); those of the machine itself always are',
      (host: string, before: string[]) => [...before, host],
      [],
    )
    .option('--days <number>', 'how long it is valid', count(1, 3_650), DAYS)
    .option('--out <folder>', 'where the files go (default: DAVIT_HOME/ca)')
    .option(
      '--keep <days>',
      'keep one for the same hosts that is valid for so many more days',
      count(1, 3_650),
    )
    .option('--shared', 'a key that other users can read, for a folder that is closed to others')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ davit ca issue server --for server --host ci.example.com --keep 30',
    )
    .action(async (name: string, options: IssueOptions) => {
      const issued = await issueCertificate(authorityFolder(cli.settings), {
        name,
        kind: options.for,
        hosts: options.host,
        days: options.days,
        ...(options.out !== undefined && { out: options.out }),
        ...(options.keep !== undefined && { keepDays: options.keep }),
        ...(options.shared && { keyMode: SHARED_KEY }),
      });
      return options.json ? printJson(cli, issued) : cli.io.out(text(issued));
    });
}

function text({ name, file, fingerprint, validTo, hosts }: CertificateFacts): string {
  const names = hosts === undefined ? '' : `  valid for    ${plainText(hosts)}\n`;
  return `${name}  ${file}\n${names}  until        ${validTo.toISOString()}\n  fingerprint  ${fingerprint}\n`;
}
