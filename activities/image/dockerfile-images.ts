/**
 * The images that a Dockerfile names: `FROM`, `COPY --from`, `ADD --from` and `from` of `RUN --mount`, with global `ARG`s
 * filled in (Dockerfile reference, "Understand how ARG and FROM interact", "Environment replacement", "Parser directives").
 * Pure. What is read here decides what another project's image is, so every writing that BuildKit understands is either
 * read in the same way, or makes the file one with hidden names.
 */

export interface DockerfileImages {
  names: string[];
  /** Some name is made in a way that only BuildKit knows: the registry has to decide about all of them. */
  hidden: boolean;
}

/** `platform`: `linux/arm64`, `linux/arm/v6`, for the arguments that BuildKit sets. */
export function imagesIn(
  dockerfile: string,
  args: Readonly<Record<string, string>>,
  platform?: string,
): DockerfileImages {
  const escape = /^(?:\s*#[^\n]*\n)*?\s*#\s*escape\s*=\s*`/i.test(dockerfile) ? '`' : '\\';
  const values = new Map(Object.entries(platform === undefined ? {} : targetArguments(platform)));
  const stages = new Set<string>();
  const names = new Set<string>();
  // The end of such a here-document may look like a line that goes on.
  let hidden = /<<-?\s*[^\s]*[\\`]/.test(dockerfile);
  const use = (written: string): void => {
    const name = filled(written, values);
    if (name === undefined || /[$`"'\\{}]/.test(name)) hidden = true;
    if (name === undefined || stages.has(name.toLowerCase()) || /^\d+$/.test(name) || name === 'scratch')
      return;
    names.add(name);
  };
  for (const line of instructionsOf(dockerfile, escape)) {
    const [, word = '', text = ''] = /^\s*(?:ONBUILD\s+)?([A-Za-z]+)\s+(.*)$/is.exec(line) ?? [];
    const instruction = word.toUpperCase();
    if (instruction === 'ARG' && stages.size === 0 && names.size === 0) declare(text, { args, values });
    if (instruction === 'FROM') {
      const [, name, stage] = /^(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(text) ?? [];
      if (name !== undefined) use(name);
      stages.add((stage ?? '').toLowerCase());
    }
    if (instruction === 'COPY' || instruction === 'ADD')
      for (const [, name = ''] of text.matchAll(/--from=(\S+)/gi)) use(name);
    if (instruction === 'RUN')
      for (const [, mount = ''] of text.matchAll(/--mount=(\S+)/gi))
        for (const [, name = ''] of mount.matchAll(/(?:^|,)\s*from=([^,]+)/gi)) use(name);
  }
  return { names: [...names], hidden };
}

/** Instructions in one line each, without comments, and without quotes and escapes, which BuildKit removes from words. */
function instructionsOf(dockerfile: string, escape: string): string[] {
  const lines = dockerfile.split(/\r\n|\r|\n/);
  const whole: string[] = [];
  let open = '';
  for (const line of lines) {
    // Also between the lines of one instruction.
    if (/^\s*#/.test(line)) continue;
    const continued = line.trimEnd().endsWith(escape);
    open += continued ? `${line.trimEnd().slice(0, -1)} ` : line;
    if (continued || (open !== line && line.trim() === '')) continue;
    whole.push(open);
    open = '';
  }
  return [...whole, open].map((text) => text.replaceAll(/["']/g, '').replaceAll(escape, ''));
}

/** `ARG A=1 B=$A`: what the pipeline gives counts before the default. */
function declare(
  text: string,
  { args, values }: { args: Readonly<Record<string, string>>; values: Map<string, string> },
): void {
  for (const [, name = '', , written] of text.matchAll(/([A-Za-z_][A-Za-z0-9_]*)(=(\S*))?/g)) {
    const known = args[name] ?? (written === undefined ? values.get(name) : filled(written, values));
    // One that cannot be read stays open, so that a name with it is a hidden one.
    if (known === undefined) values.delete(name);
    else values.set(name, known);
  }
}

/** Undefined: it has a reference that is not to a known value, or of a kind that is not known here. */
function filled(text: string, values: ReadonlyMap<string, string>): string | undefined {
  let isKnown = true;
  const name = text.replaceAll(
    /\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^{}$]*))?\})/g,
    (...found: (string | undefined)[]) => {
      const [, plain, braced, operator, other] = found;
      const value = values.get(plain ?? braced ?? '');
      if (operator === undefined) {
        isKnown &&= value !== undefined;
        return value ?? '';
      }
      // BuildKit sets some by itself, whether they are declared or not.
      if (value === undefined && /^(?:BUILD|TARGET)/.test(braced ?? '')) isKnown = false;
      const isSet = value !== undefined && (value !== '' || !operator.startsWith(':'));
      if (operator.endsWith('+')) return isSet ? (other ?? '') : '';
      return isSet ? value : (other ?? '');
    },
  );
  return isKnown && !name.includes('$') ? name : undefined;
}

function targetArguments(platform: string): Record<string, string> {
  const [os = '', architecture = '', variant = ''] = platform.split('/');
  return { TARGETPLATFORM: platform, TARGETOS: os, TARGETARCH: architecture, TARGETVARIANT: variant };
}
