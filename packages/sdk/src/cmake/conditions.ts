/** What a condition may ask. */
export interface ConditionWorld {
  /** A variable's value; null: it has none. */
  readonly variable: (name: string) => string | null;
  readonly exists: (path: string) => boolean;
}

const FALSE = /^(?:|0|OFF|NO|FALSE|N|IGNORE|NOTFOUND|.*-NOTFOUND)$/i;
const TRUE = /^(?:1|ON|YES|TRUE|Y|-?[1-9]\d*)$/i;
type Compare = (left: string, right: string) => boolean;
const COMPARISONS: Readonly<Record<string, Compare>> = {
  STREQUAL: (left, right) => left === right,
  EQUAL: (left, right) => Number(left) === Number(right),
  LESS: (left, right) => Number(left) < Number(right),
  GREATER: (left, right) => Number(left) > Number(right),
  VERSION_LESS: (left, right) => left.localeCompare(right, 'en', { numeric: true }) < 0,
  VERSION_GREATER_EQUAL: (left, right) => left.localeCompare(right, 'en', { numeric: true }) >= 0,
  IN_LIST: (left, right) => right.split(';').includes(left),
};

/** Whether `if(…)` holds, by cmake-commands(7); null: it asks what this does not know. */
export function holds(words: readonly string[], { variable, exists }: ConditionWorld): boolean | null {
  let at = 0;
  let isKnown = true;
  const value = (word: string): string => variable(word) ?? word;
  const truth = (word: string): boolean =>
    TRUE.test(word) || (!FALSE.test(word) && !FALSE.test(variable(word) ?? ''));
  const primary = (): boolean => {
    const word = words[at++] ?? '';
    if (word === 'NOT') return !primary();
    if (word === '(') {
      const inner = either();
      if (words[at++] !== ')') isKnown = false;
      return inner;
    }
    if (word === 'EXISTS') return exists(words[at++] ?? '');
    if (word === 'DEFINED') return variable(words[at++] ?? '') !== null;
    const compare = COMPARISONS[words[at] ?? ''];
    if (compare === undefined) return truth(word);
    at += 2;
    return compare(value(word), value(words[at - 1] ?? ''));
  };
  const both = (): boolean => {
    let result = primary();
    while (words[at] === 'AND') {
      at += 1;
      result = primary() && result;
    }
    return result;
  };
  const either = (): boolean => {
    let result = both();
    while (words[at] === 'OR') {
      at += 1;
      result = both() || result;
    }
    return result;
  };
  const result = either();
  return isKnown && at === words.length ? result : null;
}
