import type { ReleaseSpec } from '../../plan/model/spec.ts';
import type { WrittenRelease } from '../schema/keywords/release.ts';
import type { Path } from '../yaml/nodes.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';

/** A release is public: it must not contain a masked or secret value. */
export function releaseSpec(draft: Draft, context: PlanContext, written: WrittenRelease): ReleaseSpec {
  const scope = context.scope(draft);
  const of = (text: string, path: Path): string => {
    const expanded = scope.expand(text);
    if (expanded.tainted)
      context.problems.add(
        'language/secret',
        `release.${path.join('.')} of "${draft.group}" uses a variable that is masked or secret, and would be published`,
        { at: placeIn(draft.config, 'release', path) },
      );
    return expanded.text;
  };
  const { tag_name, tag_message, released_at } = written;
  return {
    tagName: of(tag_name, ['tag_name']),
    ...(tag_message !== undefined && { tagMessage: of(tag_message, ['tag_message']) }),
    ...(written.name !== undefined && { name: of(written.name, ['name']) }),
    description: of(written.description, ['description']),
    ref: written.ref === undefined ? context.request.trigger.sha : of(written.ref, ['ref']),
    milestones: (written.milestones ?? []).map((one) => of(one, ['milestones'])),
    ...(released_at !== undefined && { releasedAt: of(released_at, ['released_at']) }),
    links: (written.assets?.links ?? []).map((link, at) => ({
      name: of(link.name, ['assets', 'links', at, 'name']),
      url: of(link.url, ['assets', 'links', at, 'url']),
      ...(link.filepath !== undefined && {
        filepath: of(link.filepath, ['assets', 'links', at, 'filepath']),
      }),
      ...(link.link_type && { type: link.link_type }),
    })),
  };
}
