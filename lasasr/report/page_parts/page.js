"use strict";
(() => {
  // tables: a click on a header sorts by it, another one turns the order
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.value;
      const rows = [...table.tBodies[0].rows].sort((left, right) => {
        const [a, b] = [key(left), key(right)];
        if (a === "" || b === "") return (a === "") - (b === ""); // what is not known stands last
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
  const make = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  const title = (run) => `${run.system}, seed ${run.seed}`;
  const units = (text) => data.metric === "cer" ? [...text.split(/\s+/).filter(Boolean).join(" ")] : text.split(/\s+/).filter(Boolean);
  for (const select of [first, second]) data.runs.forEach((run, place) => select.add(new Option(title(run), place)));
  [first.value, second.value] = data.opening.map(String);

  const aligned = (utterance, run) => {
    const words = make("div", undefined, "words");
    const [said, heard] = [units(utterance.reference), units(run.hypothesis)];
    let [left, right] = [0, 0];
    const names = { C: "correct", S: "substituted", D: "deleted", I: "inserted" };
    for (const operation of run.operations) {
      const place = make("span", undefined, operation);
      place.title = names[operation];
      place.append(make("del", operation === "I" ? "∗" : said[left++]), make("em", operation === "D" ? "∗" : heard[right++]));
      words.append(place);
    }
    return words;
  };

  const drawing = (sound, map, of) => {
    const figure = make("figure");
    const box = make("div", undefined, "map");
    const picture = (name, address, text) => {
      const image = make("img", undefined, name);
      image.src = address;
      image.alt = text;
      return image;
    };
    const attention = picture("attention", map.image, `attention weights of ${of}`);
    attention.style.width = `${100 * (map.end_s - map.begin_s) / sound.duration_s}%`;
    attention.style.marginLeft = `${100 * map.begin_s / sound.duration_s}%`;
    box.append(picture("sound", sound.spectrogram, "spectrogram"), attention);
    figure.append(box, make("figcaption", `${of}: spectrogram above, attention below (time to the right, ${map.tokens} tokens downwards; weights from 0, the ground, to ${map.darkest}, the strongest colour)`));
    return figure;
  };

  const mapOf = (utterance, place) => {
    const [drawn, of] = [data.maps[utterance.id], data.runs[place]];
    return drawn && drawn.maps[`${of.name} ${of.seed}`];
  };
  const mapped = (utterance) => [first, second].filter((one) => mapOf(utterance, one.value)).length;
  const counted = (errors) => `${errors} error${errors === 1 ? "" : "s"}`;

  const show = (utterance, button) => {
    for (const one of list.querySelectorAll("button")) one.removeAttribute("aria-current");
    if (button) button.setAttribute("aria-current", "true");
    panel.replaceChildren(make("h3", utterance.id));
    panel.append(make("p", `speaker ${utterance.speaker}, ${utterance.duration_s} s`, "about"));
    const drawn = data.maps[utterance.id];
    if (drawn && drawn.audio) {
      const audio = make("audio");
      audio.controls = true;
      audio.src = drawn.audio;
      audio.setAttribute("aria-label", `audio of ${utterance.id}`);
      panel.append(audio);
    }
    for (const place of new Set([first.value, second.value])) {
      const [run, of] = [utterance.runs[place], data.runs[place]];
      const flags = run.flags.length ? `; ${run.flags.join(", ")}` : "";
      panel.append(make("h4", `${title(of)}: ${counted(run.errors)}${flags}`), aligned(utterance, run));
      const map = mapOf(utterance, place);
      if (map) panel.append(drawing(drawn, map, title(of)));
    }
  };

  const fill = () => {
    const word = filter.value.trim().toLowerCase();
    const change = (one) => one.runs[second.value].errors - one.runs[first.value].errors;
    const found = data.utterances
      .filter((one) => !word || `${one.id} ${one.speaker} ${one.reference}`.toLowerCase().includes(word))
      .sort((left, right) => mapped(right) - mapped(left) || Math.abs(change(right)) - Math.abs(change(left)));
    list.replaceChildren(...found.map((one) => {
      const item = make("li");
      const button = make("button", one.reference || "(nothing said)");
      button.type = "button";
      const [before, after] = [one.runs[first.value].errors, one.runs[second.value].errors];
      button.append(make("br"), make("small", `${one.id}: ${before} against ${counted(after)}${mapped(one) ? ", with maps" : ""}`));
      button.addEventListener("click", () => show(one, button));
      item.append(button);
      return item;
    }));
    if (found.length) show(found[0], list.querySelector("button"));
    else panel.replaceChildren(make("p", "No utterance has that in it."));
  };
  for (const one of [first, second]) one.addEventListener("change", fill);
  filter.addEventListener("input", fill);
  fill();
})();
