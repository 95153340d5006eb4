// Shows HTML that Python made and escaped, and reports clicks on [data-event] elements back to Python.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let box = parentElement.querySelector(".box");
  if (!box) {
    box = document.createElement("div");
    box.className = "box";
    parentElement.appendChild(box);
  }
  if (box.dataset.digest !== data.digest) {
    box.innerHTML = data.html;
    box.dataset.digest = data.digest;
  }
  const report = (event) => {
    const source = event.target.closest("[data-event]");
    const opensTab = event.ctrlKey || event.metaKey || event.shiftKey;
    if (!source || opensTab || (event.type === "keydown" && event.key !== "Enter")) return;
    event.preventDefault();
    setTriggerValue("event", { name: source.dataset.event, value: source.dataset.value });
  };
  box.onclick = report;
  box.onkeydown = (event) => (event.target.matches("a[href], button") ? null : report(event));
}
