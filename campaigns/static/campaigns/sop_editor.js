// A SOP as rows of steps. The grammar is the server's; this file draws it, and keeps what it does
// not draw (attachments, rules that say more than can be clicked).
(() => {
  let lastId = 0;
  const EMPTY = {
    message: () => ({ kind: "message", content: "", attachments: [] }),
    task: () => ({ kind: "task", text: "" }),
    tag: () => ({ kind: "tag", tags: [] }),
    untag: () => ({ kind: "untag", tags: [] }),
    stage: (stages) => ({ kind: "stage", stage: stages[0]?.value ?? "" }),
  };
  const TRIGGER_FIELDS = {
    customer_added: ["state", "staff"],
    tag_added: ["tag"],
    attribute_date: ["attribute", "yearly"],
    group_joined: ["chat_ids", "tag"],
  };

  const toRow = (step) => ({
    ...JSON.parse(JSON.stringify(step)), // not structuredClone: Alpine hands out proxies
    offset: { days: 0, minutes: 0, ...step.offset },
    _id: ++lastId,
    _open: false,
    _timing: step.at ? "at" : "after",
  });

  const minutesOf = (step) => {
    const [hours, minutes] = (step.at ?? "0:0").split(":").map(Number);
    const rest = step._timing === "at" ? hours * 60 + minutes : step.offset.minutes || 0;
    return (step.offset.days || 0) * 1440 + rest;
  };

  const isSaid = (value) => value !== "" && value !== false && value !== null && value?.length !== 0;

  window.sopEditor = (config) => ({
    ...config, // rules, chats, groupTags, limit, kinds, triggers, problems
    trigger: { type: "manual" },
    steps: [],
    quiet: { start: "21:00", end: "09:00" },
    isQuiet: false,
    latePolicy: "skip",
    grace: 60,
    exit: null,
    hasExit: false,
    words: {},

    init() {
      const given = this.definition ?? {};
      this.trigger = given.trigger ?? this.trigger;
      this.steps = (given.steps ?? []).map(toRow);
      this.isQuiet = Boolean(given.quiet_hours);
      this.quiet = given.quiet_hours ?? this.quiet;
      this.latePolicy = given.late_policy ?? this.latePolicy;
      this.grace = given.grace_minutes ?? this.grace;
      this.exit = given.exit ?? null;
      this.hasExit = Boolean(this.exit);
      this.words = JSON.parse(document.getElementById("sop-words").textContent);
      this.$nextTick(() => this.$watch("written", (text) => { this.$refs.definition.value = text; }));
      this.$nextTick(() => { this.$refs.definition.value = this.written; });
    },

    get written() {
      return JSON.stringify({
        trigger: this.bareTrigger(),
        steps: this.steps.map((step) => this.bareStep(step)),
        exit: this.hasExit ? this.exit : null,
        quiet_hours: this.isQuiet ? this.quiet : null,
        late_policy: this.latePolicy,
        grace_minutes: this.grace,
      });
    },

    bareTrigger() {
      const fields = TRIGGER_FIELDS[this.trigger.type] ?? [];
      const said = fields.filter((name) => isSaid(this.trigger[name] ?? null));
      return { type: this.trigger.type, ...Object.fromEntries(said.map((name) => [name, this.trigger[name]])) };
    },

    bareStep(step) {
      const { _id, _open, _timing, ...bare } = step;
      const isTimed = _timing === "at";
      return {
        ...bare,
        offset: { days: step.offset.days || 0, minutes: isTimed ? 0 : step.offset.minutes || 0 },
        at: isTimed ? step.at || "10:00" : null,
      };
    },

    // A rule without conditions means everybody: then there is none.
    bare: (rule) => (Object.values(rule)[0]?.length ? rule : null),

    setTrigger() {
      this.trigger = { type: this.trigger.type };
    },

    setKind(step) {
      step.action = EMPTY[step.action.kind](this.rules.options.stage);
    },

    add(kind) {
      const last = this.steps.at(-1);
      const days = last ? last.offset.days + 1 : 0;
      this.steps.push(toRow({ offset: { days, minutes: 0 }, at: "10:00", action: EMPTY[kind](this.rules.options.stage), condition: null }));
    },

    duplicate(index) {
      const { id, ...copy } = this.bareStep(JSON.parse(JSON.stringify(this.steps[index])));
      this.steps.splice(index + 1, 0, toRow(copy));
    },

    inOrder() {
      return [...this.steps].sort((one, other) => minutesOf(one) - minutesOf(other));
    },

    sort() {
      this.steps = this.inOrder();
    },

    addTo(holder, name, event, isNumber = false) {
      const value = isNumber ? Number(event.target.value) : event.target.value;
      if (value && !(holder[name] ?? []).includes(value)) holder[name] = [...(holder[name] ?? []), value];
      event.target.value = "";
    },

    dropFrom(holder, name, value) {
      holder[name] = holder[name].filter((other) => other !== value);
    },

    labelOf: (options, value) => options.find((option) => option.value === value)?.label ?? String(value),

    bytesOf: (step) => new TextEncoder().encode(step.action.content ?? "").length,

    whenOf(step) {
      const days = step.offset.days || 0;
      const day = days < 0 ? this.words.before.replace("{n}", -days) : this.words.day.replace("{n}", days);
      if (step._timing === "at") return `${day} ${step.at ?? ""}`;
      const minutes = step.offset.minutes || 0;
      if (!days && !minutes) return this.words.at_once;
      return minutes ? `${day} ${this.words.minutes.replace("{n}", minutes)}` : day;
    },

    wordsOf(step) {
      return this.kinds.find(({ kind }) => kind === step.action.kind)?.words ?? step.action.kind;
    },

    shortOf(step) {
      const { action } = step;
      if (action.tags) return action.tags.map((value) => this.labelOf(this.rules.options.tags, value)).join("、");
      if (action.kind === "stage") return this.labelOf(this.rules.options.stage, action.stage);
      return (action.content ?? action.text ?? "").slice(0, 90);
    },

    problemsAt(path) {
      return this.problems.filter((problem) => problem.path === path).map(({ message }) => message);
    },

    problemsUnder(path) {
      const under = this.problems.filter((problem) => problem.path === path || problem.path.startsWith(`${path}/`));
      return [...new Set(under.map(({ message }) => message))];
    },
  });
})();
