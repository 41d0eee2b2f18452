// From probabilities to answers, as app/har/vocabulary.py: the deepest node of the tree that is as probable as the limit;
// of nodes equally deep, the likelier; else the last. `output` is that of an export's description.
export function answerOf(probabilities, output) {
  const likely = output.tree.map(({ activities }) => Math.fround(activities.reduce((sum, name) => sum + probabilities[output.activities.indexOf(name)], 0)));
  let best = -1;
  let answer = 0;
  output.tree.forEach(({ depth }, i) => {
    const value = likely[i] >= output.limit || i === likely.length - 1 ? depth + 0.5 * likely[i] : -1;
    if (value > best) [best, answer] = [value, i];
  });
  return { answer: output.tree[answer].name, probability: likely[answer] };
}
