// A rule over customers, put together without writing JSON. The grammar is the server's; this file
// only knows how to draw it, and leaves alone what it cannot draw.
(() => {
  const MODES = ["all", "any", "none"];
  let lastId = 0;

  // The field behind a name: "attribute.city" is one of "attribute.*".
  const patternOf = (fields, name) =>
    Object.keys(fields).find((pattern) => {
      if (!pattern.includes("*")) return pattern === name;
      const [head, tail] = pattern.split("*");
      return name.startsWith(head) && name.endsWith(tail) && name.length > head.length + tail.length;
    }) ?? Object.keys(fields).find((pattern) => pattern.includes("*") && pattern.replace("*", "") === name);

  const listOf = (value) => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

  // One word for what can be said in several ways.
  function canonical(rule, fields) {
    const condition = structuredClone(rule);
    const field = fields[patternOf(fields, String(condition.field ?? "")) ?? ""];
    const same = field?.same[condition.op];
    if (same) {
      condition.op = same;
      condition.value = listOf(condition.value);
    }
    if (condition.op === "exists" || condition.op === "is_empty") {
      if (condition.value === false) condition.op = condition.op === "exists" ? "is_empty" : "exists";
      delete condition.value;
    }
    return condition;
  }

  const modeOf = (rule) => MODES.find((mode) => rule && Array.isArray(rule[mode]));

  function fromRule(rule, fields) {
    const mode = modeOf(rule);
    if (mode) {
      const children = rule[mode].map((child) => fromRule(child, fields));
      return { id: ++lastId, type: "group", mode, children };
    }
    const shown = canonical(rule ?? {}, fields);
    // As it was written, for as long as nobody changes it.
    const given = { rule: structuredClone(rule ?? {}), shown: JSON.stringify(shown) };
    return { id: ++lastId, type: "condition", given, ...shown };
  }

  function toRule(node) {
    if (node.type === "group") return { [node.mode]: node.children.map(toRule) };
    const { id, type, given, ...condition } = node;
    const plain = JSON.stringify(condition);
    return given && plain === given.shown ? JSON.parse(JSON.stringify(given.rule)) : JSON.parse(plain);
  }

  const pathsOf = (node, path, paths) => {
    paths[node.id] = path;
    (node.children ?? []).forEach((child, index) =>
      pathsOf(child, `${path}/${node.mode}/${index}`, paths),
    );
    return paths;
  };

  window.ruleBuilder = (config) => ({
    ...config, // fields, options, previewUrl, csrf
    root: null,
    advanced: false,
    json: "",
    jsonError: false,
    preview: { state: "waiting" },
    problems: config.problems ?? [],
    warnings: [],
    found: {}, // options that a search has brought, by field
    timer: null,
    asked: 0,

    init() {
      // A rule of a larger form comes as `initial` and goes to `onRule`.
      let rule = config.onRule ? JSON.parse(JSON.stringify(config.initial ?? null)) : null;
      try {
        if (!config.onRule) rule = JSON.parse(this.$refs.rule.value || "null");
      } catch {
        this.advanced = true;
        this.json = this.$refs.rule.value;
      }
      this.root = fromRule(modeOf(rule) ? rule : { all: rule ? [rule] : [] }, this.fields);
      this.nameChosen(this.root);
      this.write();
    },

    // Called after every change.
    write() {
      const rule = toRule(this.root);
      if (config.onRule) config.onRule(JSON.parse(JSON.stringify(rule)));
      else this.$refs.rule.value = JSON.stringify(rule);
      if (!this.advanced) this.json = JSON.stringify(rule, null, 2);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(rule), 350);
    },

    writeJson() {
      try {
        const rule = JSON.parse(this.json);
        this.root = fromRule(modeOf(rule) ? rule : { all: [rule] }, this.fields);
        this.jsonError = false;
        this.write();
      } catch {
        this.jsonError = true;
        this.$refs.rule.value = this.json;
      }
    },

    async ask(rule) {
      const number = ++this.asked;
      this.preview = { ...this.preview, state: "asking" };
      try {
        const answer = await fetch(this.previewUrl, {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRFToken": this.csrf },
          body: JSON.stringify({ rule }),
        });
        const told = await answer.json();
        if (number !== this.asked) return; // a newer question is on its way
        this.problems = told.errors ?? [];
        this.warnings = told.warnings ?? [];
        this.preview = { state: told.errors?.length ? "wrong" : "known", ...told };
      } catch {
        if (number === this.asked) this.preview = { state: "unreachable" };
      }
    },

    // A condition that excludes another one: allowed while somebody is still at it.
    warningsAt(node) {
      const own = pathsOf(this.root, "/rule", {})[node.id];
      return this.warnings.filter(({ path }) => path === own).map(({ message }) => message);
    },

    problemsAt(node) {
      const paths = pathsOf(this.root, "/rule", {});
      const own = paths[node.id];
      const deeper = node.type === "group" ? new Set(Object.values(paths)) : new Set();
      const here = this.problems
        .filter(({ path }) => {
          if (path === own) return true;
          if (!path.startsWith(`${own}/`)) return false;
          // The innermost node that contains the place shows the problem.
          return ![...deeper].some(
            (other) => other !== own && other.startsWith(`${own}/`) && (path === other || path.startsWith(`${other}/`)),
          );
        })
        .map(({ message }) => message);
      return [...new Set(here)];
    },

    addCondition(group, field = "tags") {
      group.children.push({ id: ++lastId, type: "condition", ...this.fresh(field) });
      this.write();
    },

    addGroup(group) {
      group.children.push({ id: ++lastId, type: "group", mode: "any", children: [] });
      this.write();
    },

    remove(node, parent = this.root) {
      parent.children = parent.children.filter((child) => child.id !== node.id);
      for (const child of parent.children) if (child.type === "group") this.remove(node, child);
      if (parent === this.root) this.write();
    },

    // --- one condition -----------------------------------------------------------------------
    pattern(node) {
      return patternOf(this.fields, String(node.field ?? ""));
    },

    fieldOf(node) {
      return this.fields[this.pattern(node) ?? ""];
    },

    known(node) {
      return node.op in (this.fieldOf(node)?.ops ?? {});
    },

    fresh(pattern) {
      const op = Object.keys(this.fields[pattern].ops)[0];
      const key = (this.keys[pattern] ?? [])[0] ?? "";
      return { field: pattern.replace("*", key), op, ...this.emptyValue(pattern, op) };
    },

    emptyValue(pattern, op) {
      const { input, ops } = this.fields[pattern];
      const isNumber = input === "number" || input === "money";
      const one = isNumber ? 1 : "";
      return {
        none: {},
        days: { value: 30 },
        range: { value: isNumber ? [1, 1] : ["", ""] },
        one: { value: one },
      }[ops[op].value] ?? { value: [] };
    },

    setField(node, pattern) {
      for (const name of ["value", "within_days"]) delete node[name];
      Object.assign(node, this.fresh(pattern));
      this.write();
    },

    keyOf(node) {
      const [head, tail] = this.pattern(node).split("*");
      return node.field.slice(head.length, node.field.length - tail.length);
    },

    setKey(node, key) {
      node.field = this.pattern(node).replace("*", key.trim());
      this.write();
    },

    setOp(node, op) {
      const before = this.valueKind(node);
      node.op = op;
      if (this.valueKind(node) !== before) {
        delete node.value;
        Object.assign(node, this.emptyValue(this.pattern(node), op));
      }
      this.write();
    },

    valueKind(node) {
      return this.fieldOf(node)?.ops[node.op]?.value;
    },

    setWindow(node, days) {
      if (days === "") delete node.within_days;
      else node.within_days = Number(days);
      this.write();
    },

    describeUnknown(node) {
      return JSON.stringify(toRule(node));
    },

    // --- choosing out of many -----------------------------------------------------------------
    optionsOf(node) {
      const name = this.pattern(node);
      const all = [...(this.options[name] ?? []), ...(this.found[name] ?? [])];
      return all.filter(({ value }, place) => all.findIndex((other) => other.value === value) === place);
    },

    // A condition is redrawn while its field changes: its value may still be the former one's.
    chosen(node) {
      return Array.isArray(node.value) ? node.value : [];
    },

    labelOf(node, value) {
      return this.optionsOf(node).find((option) => option.value === value)?.label ?? String(value);
    },

    matching(node, typed) {
      const wanted = typed.trim().toLowerCase();
      const chosen = new Set(this.chosen(node));
      const found = this.optionsOf(node).filter(
        ({ value, label, note }) =>
          !chosen.has(value) && (!wanted || `${label} ${note ?? ""}`.toLowerCase().includes(wanted)),
      );
      return found.slice(0, 60);
    },

    // Only where there are more options than the page has brought along.
    async search(node, typed) {
      const name = this.pattern(node);
      if (!typed.trim() || (this.options[name] ?? []).length < this.mostShown) return;
      await this.fetchOptions(name, new URLSearchParams({ typed: typed.trim() }));
    },

    async fetchOptions(name, parameters) {
      parameters.set("field", name);
      try {
        const answer = await fetch(`${this.optionsUrl}&${parameters}`);
        const { options } = await answer.json();
        this.found = { ...this.found, [name]: [...(this.found[name] ?? []), ...options] };
      } catch {
        // The chips show the plain values until the server answers again.
      }
    },

    // The names of what a saved rule has chosen and the page has not brought along.
    nameChosen(root) {
      const missing = {};
      const visit = (node) => {
        (node.children ?? []).forEach(visit);
        if (node.type !== "condition" || this.valueKind(node) !== "choices") return;
        const known = new Set(this.optionsOf(node).map(({ value }) => value));
        for (const value of this.chosen(node)) {
          if (!known.has(value)) (missing[this.pattern(node)] ??= new Set()).add(value);
        }
      };
      visit(root);
      for (const [name, values] of Object.entries(missing)) {
        this.fetchOptions(name, new URLSearchParams([...values].map((value) => ["value", value])));
      }
    },

    pick(node, value) {
      node.value = [...node.value, value];
      this.write();
    },

    unpick(node, value) {
      node.value = node.value.filter((other) => other !== value);
      this.write();
    },

    // --- entering -----------------------------------------------------------------------------
    inputOf(node) {
      return this.fieldOf(node)?.input;
    },

    htmlType(node) {
      return { moment: "date", number: "number", money: "number" }[this.inputOf(node)] ?? "text";
    },

    // As people read it: a date is the whole day, money is in yuan and not in fen.
    shown(node, value) {
      if (this.inputOf(node) === "moment") return String(value ?? "").slice(0, 10);
      if (this.inputOf(node) === "money") return value === "" ? "" : Number(value) / 100;
      return typeof value === "boolean" ? (value ? this.words.yes : this.words.no) : value;
    },

    entered(node, text, kind) {
      const input = this.inputOf(node);
      if (input === "number") return text === "" ? "" : Math.trunc(Number(text));
      if (input === "money") return text === "" ? "" : Math.round(Number(text) * 100);
      if (input !== "scalar") return text;
      if (kind === "number") return Number.isFinite(Number(text)) && text !== "" ? Number(text) : text;
      return text;
    },

    setOne(node, text) {
      node.value = this.entered(node, text, this.scalarKind(node));
      this.write();
    },

    setEnd(node, place, text) {
      const kind = this.scalarKind(node);
      node.value = listOf(node.value).map((old, index) => (index === place ? this.entered(node, text, kind) : old));
      this.write();
    },

    // Attributes may be texts, numbers or yes and no; 1 and "1" are not the same.
    scalarKind(node) {
      const value = listOf(node.value)[0];
      return { number: "number", boolean: value ? "yes" : "no" }[typeof value] ?? "text";
    },

    setScalarKind(node, kind) {
      if (kind === "yes" || kind === "no") node.value = kind === "yes";
      else if (Array.isArray(node.value)) {
        node.value = node.value.map((value) => (kind === "number" ? Number(value) || 0 : String(value)));
      } else node.value = kind === "number" ? Number(node.value) || 0 : String(node.value);
      this.write();
    },

    addTyped(node, text) {
      const bare = text.trim();
      if (!bare) return;
      const isNumeric = this.inputOf(node) === "scalar" && /^-?\d+(\.\d+)?$/.test(bare);
      const value = isNumeric && this.scalarKind(node) === "number" ? Number(bare) : this.entered(node, bare, "text");
      if (!this.chosen(node).includes(value)) this.pick(node, value);
    },
  });
})();
