/** Answers that are kept for as long as what they were computed from. */

/**
 * The same pure function of one object that is never changed, with each answer computed once. Whoever asks again gets the very
 * same answer, which must not be changed either.
 */
export function remembered<Key extends object, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const answers = new WeakMap<Key, { readonly value: Value }>();
  return (key) => {
    const known = answers.get(key);
    if (known !== undefined) return known.value;
    const value = compute(key);
    answers.set(key, { value });
    return value;
  };
}
