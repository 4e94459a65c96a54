"use strict";
(() => {
  // tables: a click on a header sorts by it, a second click reverses the order
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.value;
      const rows = [...table.tBodies[0].rows].sort((left, right) => {
        const [a, b] = [key(left), key(right)];
        if (a === "" || b === "") return (a === "") - (b === ""); // unknown values come last
        const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    }));
  }

  // learning curves: a click on a name hides its line
  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!shown));
      document.getElementById(button.getAttribute("aria-controls")).style.display = shown ? "none" : "";
    });
  }

  // utterances
  const source = document.getElementById("utterance-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const at = (id) => document.getElementById(id);
  const [first, second, filter, list, panel] = ["first", "second", "filter", "list", "panel"].map(at);
  // what would act on the page or hide in it is written out, as lasasr/escaping.py does
  const acting = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]/gu;
  const escaped = (text) => text.replace(acting, (sign) => "\\u" + sign.codePointAt(0).toString(16).padStart(4, "0"));
  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = escaped(text);
    if (name) element.className = name;
    return element;
  };
  const title = (run) => `${run.system}, seed ${run.seed}`;
  const units = (text) => data.metric === "cer" ? [...text.split(/\s+/).filter(Boolean).join(" ")] : text.split(/\s+/).filter(Boolean);
  for (const select of [first, second]) data.runs.forEach((run, index) => select.add(new Option(title(run), index)));
  [first.value, second.value] = data.opening.map(String);

  const aligned = (utterance, run) => {
    const words = make("div", undefined, "words");
    const [reference, hypothesis] = [units(utterance.reference), units(run.hypothesis)];
    let [left, right] = [0, 0];
    const names = { C: "correct", S: "substituted", D: "deleted", I: "inserted" };
    for (const operation of run.operations) {
      const cell = make("span", undefined, operation);
      cell.title = names[operation];
      cell.append(make("del", operation === "I" ? "∗" : reference[left++]), make("em", operation === "D" ? "∗" : hypothesis[right++]));
      words.append(cell);
    }
    return words;
  };

  const drawing = (sound, map, runTitle) => {
    const figure = make("figure");
    const box = make("div", undefined, "map");
    const picture = (name, address, text) => {
      const image = make("img", undefined, name);
      image.src = address;
      image.alt = text;
      return image;
    };
    const attention = picture("attention", map.image, `attention weights of ${runTitle}`);
    attention.style.width = `${100 * (map.end_s - map.begin_s) / sound.duration_s}%`;
    attention.style.marginLeft = `${100 * map.begin_s / sound.duration_s}%`;
    box.append(picture("sound", sound.spectrogram, "spectrogram"), attention);
    figure.append(box, make("figcaption", `${runTitle}: spectrogram above, attention below (time to the right, ${map.tokens} tokens downwards; weights from 0, the ground, to ${map.darkest}, the strongest colour)`));
    return figure;
  };

  const mapOf = (utterance, index) => {
    const [drawn, run] = [data.maps[utterance.id], data.runs[index]];
    return drawn && drawn.maps[`${run.name} ${run.seed}`];
  };
  const mapped = (utterance) => [first, second].filter((select) => mapOf(utterance, select.value)).length;
  const counted = (errors) => `${errors} error${errors === 1 ? "" : "s"}`;

  const show = (utterance, button) => {
    for (const other of list.querySelectorAll("button")) other.removeAttribute("aria-current");
    if (button) button.setAttribute("aria-current", "true");
    panel.replaceChildren(make("h3", utterance.id));
    const duration = utterance.duration_s === null ? "" : `, ${utterance.duration_s} s`; // texts have none
    panel.append(make("p", `speaker ${utterance.speaker}${duration}`, "about"));
    const drawn = data.maps[utterance.id];
    if (drawn && drawn.audio) {
      const audio = make("audio");
      audio.controls = true;
      audio.src = drawn.audio;
      audio.setAttribute("aria-label", `audio of ${utterance.id}`);
      panel.append(audio);
    }
    for (const index of new Set([first.value, second.value])) {
      const [answer, run] = [utterance.runs[index], data.runs[index]];
      const flags = answer.flags.length ? `; ${answer.flags.join(", ")}` : "";
      panel.append(make("h4", `${title(run)}: ${counted(answer.errors)}${flags}`), aligned(utterance, answer));
      const map = mapOf(utterance, index);
      if (map) panel.append(drawing(drawn, map, title(run)));
    }
  };

  const fill = () => {
    const word = filter.value.trim().toLowerCase();
    const change = (utterance) => utterance.runs[second.value].errors - utterance.runs[first.value].errors;
    const listed = data.utterances
      .filter((utterance) => !word || `${utterance.id} ${utterance.speaker} ${utterance.reference}`.toLowerCase().includes(word))
      .sort((left, right) => mapped(right) - mapped(left) || Math.abs(change(right)) - Math.abs(change(left)));
    list.replaceChildren(...listed.map((utterance) => {
      const item = make("li");
      const button = make("button", utterance.reference || "(nothing said)");
      button.type = "button";
      const [before, after] = [utterance.runs[first.value].errors, utterance.runs[second.value].errors];
      button.append(make("br"), make("small", `${utterance.id}: ${before} against ${counted(after)}${mapped(utterance) ? ", with maps" : ""}`));
      button.addEventListener("click", () => show(utterance, button));
      item.append(button);
      return item;
    }));
    if (listed.length) show(listed[0], list.querySelector("button"));
    else panel.replaceChildren(make("p", "No utterance has that in it."));
  };
  for (const select of [first, second]) select.addEventListener("change", fill);
  filter.addEventListener("input", fill);
  fill();
})();
