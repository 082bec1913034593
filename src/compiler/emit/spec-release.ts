import type { ReleaseSpec } from '../../plan/model/spec.ts';
import type { WrittenRelease } from '../schema/keywords/release.ts';
import type { Path } from '../yaml/nodes.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';

/** A release is public: it must not contain a masked or secret value. */
export function releaseSpec(draft: Draft, context: PlanContext, written: WrittenRelease): ReleaseSpec {
  const scope = context.scope(draft);
  const publicText = (text: string, path: Path): string => {
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
    tagName: publicText(tag_name, ['tag_name']),
    ...(tag_message !== undefined && { tagMessage: publicText(tag_message, ['tag_message']) }),
    ...(written.name !== undefined && { name: publicText(written.name, ['name']) }),
    description: publicText(written.description, ['description']),
    ref: written.ref === undefined ? context.request.trigger.sha : publicText(written.ref, ['ref']),
    milestones: (written.milestones ?? []).map((one) => publicText(one, ['milestones'])),
    ...(released_at !== undefined && { releasedAt: publicText(released_at, ['released_at']) }),
    links: (written.assets?.links ?? []).map((link, at) => ({
      name: publicText(link.name, ['assets', 'links', at, 'name']),
      url: publicText(link.url, ['assets', 'links', at, 'url']),
      ...(link.filepath !== undefined && {
        filepath: publicText(link.filepath, ['assets', 'links', at, 'filepath']),
      }),
      ...(link.link_type && { type: link.link_type }),
    })),
  };
}
