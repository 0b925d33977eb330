import type { LifecycleRule, LifecycleSettings } from '../bucket/bucket-settings.ts';

const ruleId = 'quayside-cleanup-incomplete-multipart-uploads';

/** The rule that aborts incomplete uploads below the prefix; undefined for none. */
export function coveringRule({ Rules = [] }: LifecycleSettings, prefix: string): LifecycleRule | undefined {
  return Rules.find(
    (rule) =>
      rule.Status === 'Enabled' &&
      rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation !== undefined &&
      covers(rule, prefix),
  );
}

/**
 * All rules as they are, and ours in place of an earlier one of ours. A list of rules has one form:
 * S3 refuses a rule with `Filter` beside one with the older `Prefix`.
 */
export function withCleanup(
  { Rules = [], ...rest }: LifecycleSettings,
  prefix: string,
  days: number,
): LifecycleSettings {
  const others = Rules.filter(({ ID }) => ID !== ruleId);
  const isOld = others.some((rule) => rule.Filter === undefined);
  const ours: LifecycleRule = {
    ID: ruleId,
    Status: 'Enabled',
    ...(isOld ? { Prefix: prefix } : { Filter: { Prefix: prefix } }),
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: days },
  };
  return { ...rest, Rules: [...others, ours] };
}

/** A rule for tags or sizes is not for every upload. */
function covers({ Filter, Prefix }: LifecycleRule, prefix: string): boolean {
  if (Filter === undefined) return prefix.startsWith(Prefix ?? '');
  const { And, Tag, ObjectSizeGreaterThan, ObjectSizeLessThan } = Filter;
  const isNarrow = [And, Tag, ObjectSizeGreaterThan, ObjectSizeLessThan].some((each) => each !== undefined);
  return !isNarrow && prefix.startsWith(Filter.Prefix ?? '');
}
