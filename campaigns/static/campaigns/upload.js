// Uploading the files of attachments: what forms that have them mix in.
window.uploads = () => ({
  uploading: {}, // field → true while its file is on its way
  refusals: {}, // field → why its file was refused
  names: {}, // id → name, of what was uploaded on this page

  contentOf(id) {
    return this.upload.contentUrl.replace("/0/", `/${id}/`);
  },

  nameOf(id) {
    return this.names[id] ?? `#${id}`;
  },

  // Puts the id of the chosen file into `target[field.name]`; `key` tells the fields of a page apart.
  async choose(event, field, target, key) {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    this.refusals[key] = "";
    this.uploading[key] = true;
    const body = new FormData();
    body.append("corp", this.upload.corp);
    body.append("kind", field.upload);
    body.append("file", file);
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
    try {
      const headers = { "X-CSRFToken": token };
      const answer = await fetch(this.upload.uploadUrl, { method: "POST", headers, body });
      const told = await answer.json().catch(() => ({}));
      if (answer.ok) {
        this.names[told.id] = told.name;
        target[field.name] = told.id;
        delete target[field.theirs];
      } else {
        this.refusals[key] = told.problem ?? `HTTP ${answer.status}`;
      }
    } catch (error) {
      this.refusals[key] = String(error);
    }
    this.uploading[key] = false;
    this.write();
  },
});
