// The content of a material: the fields of its kind, kept as one object in a hidden field.
window.material = (config) => ({
  ...uploads(),
  ...config, // kind, content, limit, fields, problems, upload

  init() {
    this.$watch("kind", () => this.write());
    this.write();
  },

  get bytes() {
    return new TextEncoder().encode(this.content.text ?? "").length;
  },

  get fieldsNow() {
    return this.fields[this.kind] ?? [];
  },

  // Only what belongs to the kind: fields of another one that were filled in before are dropped.
  write() {
    const fields = this.fieldsNow.flatMap(({ name, theirs }) => (theirs ? [name, theirs] : [name]));
    const names = this.kind === "text" ? ["text"] : fields;
    const said = names.filter((name) => this.content[name]).map((name) => [name, this.content[name]]);
    this.$refs.content.value = JSON.stringify(Object.fromEntries(said));
  },

  problemAt(name) {
    return this.problems.find(({ path }) => path === `/content/${name}`)?.message ?? "";
  },
});
