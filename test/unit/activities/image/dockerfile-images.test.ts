import { describe, expect, test } from 'vitest';
import { imagesIn } from '../../../../activities/image/dockerfile-images.ts';

const OTHER = 'registry.test/beta:private';
const found = (text: string, args: Record<string, string> = {}) => imagesIn(text, args, 'linux/arm/v6');

test('base images of a Dockerfile, without its stages', () => {
  const text = `ARG BASE=debian:12
ARG HOST=registry.test TAG=1
ARG WHOLE=$HOST/whole:\${TAG}
FROM --platform=linux/arm/v6 $HOST/base:\${TAG} AS Builder
ARG BASE=inner
COPY --from=builder /a /b
COPY --chown=0 --from=other.test/tools:1 /a /b
FROM $BASE
FROM \${WHOLE}
FROM scratch
COPY --from=0 /a /b
FROM tools-$TARGETARCH$TARGETVARIANT
RUN apk add curl
`;
  expect(found(text, { HOST: 'mine.test:5000' })).toEqual({
    names: [
      'mine.test:5000/base:1',
      'other.test/tools:1',
      'debian:12',
      'mine.test:5000/whole:1',
      'tools-armv6',
    ],
    hidden: false,
  });
});

describe('an image of another project is found, however its name is written', () => {
  test.each([
    ['by a flag of RUN', `FROM a\nRUN --mount=type=bind,from=${OTHER},target=/x cp -r /x /y`],
    ['by a flag of RUN in quotes', `FROM a\nRUN --mount=type=bind,"from=${OTHER}",target=/x cp /x /y`],
    ['by two flags', `FROM a\nRUN --network=none --mount=target=/x,from=${OTHER} true`],
    ['for builds on top of it', `FROM a\nONBUILD COPY --from=${OTHER} / /x`],
    ['in quotes', 'FROM "registry.test/be"ta:private'],
    ['with escapes', 'FROM registry.test/be\\ta:private'],
    ['on several lines', `FROM \\\n  # a word about it\n\n  ${OTHER}`],
    ['with another escape', `# escape=\`\nFROM \`\n${OTHER}`],
    [
      'with another escape, after other directives',
      `# check=skip=all\n# escape = \`\nFROM a\nCOPY \`\n --from=${OTHER} / /x`,
    ],
    ['with a default', 'FROM ${NONE:-registry.test/beta}:private'],
    ['with a default of an empty one', 'ARG EMPTY=""\nFROM ${EMPTY:-registry.test/beta}:private'],
    ['with an alternative', 'ARG A=1\nFROM ${A:+registry.test/beta}:private'],
    ['by an argument of an argument', 'ARG A=registry.test\nARG B=${A}/beta\nFROM $B:private'],
    ['in lower case, with Windows lines', `from a\r\ncopy --from=${OTHER} / /x\r\n`],
    ['behind a mark of the encoding', `\uFEFFFROM ${OTHER}`],
  ])('%s', (_, text) => {
    expect(found(text).names).toContain(OTHER);
  });
});

describe('a name that only BuildKit knows is a hidden one', () => {
  test.each([
    ['a pattern', 'ARG A=xregistry.test/beta\nFROM ${A#x}:private'],
    ['a default with a reference', 'ARG A=registry.test\nFROM ${NONE:-$A/beta}:private'],
    ['what BuildKit sets by itself', 'FROM ${BUILDARCH:-x}/beta:private'],
    ['an argument without a value', 'FROM registry.test/$NONE:private'],
    ['an argument that cannot be read', 'ARG A=xbeta\nARG B=${A#x}\nFROM registry.test/$B:private'],
    [
      'a here-document whose end looks like a line that goes on',
      `FROM a\nRUN <<"E\\"\nE\\\nCOPY --from=${OTHER} / /x`,
    ],
  ])('%s', (_, text) => {
    expect(found(text).hidden).toBe(true);
  });
});
