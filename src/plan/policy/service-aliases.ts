/**
 * `registry.example.com:5000/team/db:1` has the host names `registry.example.com__team__db` and
 * `registry.example.com-team-db`.
 */
export function serviceAliases(image: string): string[] {
  const bare = image
    .replace(/@.*$/, '')
    .replace(/:[^/:]*$/, '')
    .replace(/:\d+\//, '/');
  return [...new Set([bare.replaceAll('/', '__'), bare.replaceAll('/', '-')])];
}
