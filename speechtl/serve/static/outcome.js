// What an adaptation brought, as a table: errors before and after on recordings that were held out.

function element(name, text, kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

const wrong = (score) => `${score.errors} of ${score.reference_length} (${(100 * score.rate).toFixed(1)} %)`;

function table(comparison) {
  const made = document.createElement("table");
  const units = ["words", "phones"].filter((unit) => comparison.before[unit]);
  const head = document.createElement("tr");
  head.append(element("th", ""));
  for (const unit of units) head.append(element("th", `wrong ${unit}`));
  made.createTHead().append(head);
  const body = made.createTBody();
  for (const when of ["before", "after"]) {
    const row = document.createElement("tr");
    const heading = element("th", when);
    heading.scope = "row";
    row.append(heading);
    for (const unit of units) row.append(element("td", wrong(comparison[when][unit])));
    body.append(row);
  }
  const scroll = element("div", "", "scroll");
  scroll.append(made);
  return scroll;
}

// Elements to show for an adaptation, none for one that has not ended.
export function outcome(adaptation) {
  if (adaptation?.state === "failed") return [element("p", adaptation.error, "problem")];
  if (adaptation?.state === "stopped") return [element("p", "Stopped.", "hint")];
  if (adaptation?.state !== "done") return [];
  const { result } = adaptation;
  const shown = [element("h2", "Before and after")];
  for (const comparison of result.comparisons) {
    shown.push(element("p", comparison.title === "held out" ? "Each recording was tested by a model that was not trained on it." : comparison.title, "hint"));
    shown.push(table(comparison), element("p", `${comparison.verdict}.`));
  }
  shown.push(
    result.kept_source
      ? element("p", "Adaptation did not help on held-out recordings, so the model stays as it is.")
      : element("p", `${result.utterances} recordings, ${result.seconds} s; method ${result.method}, ${result.parameters.toLocaleString()} parameters. The adapted model is in use; choose at the top who speaks.`, "hint"),
  );
  for (const warning of result.warnings) shown.push(element("p", warning, "hint"));
  return shown;
}
