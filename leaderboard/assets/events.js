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
    box.querySelectorAll("svg.chart").forEach(offerToSave);
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

const LOOKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "visibility", "paint-order",
  "font-family", "font-size", "font-weight"];

/** Puts two buttons below a chart, which save it as it is seen: its style sheet is not in the file, its looks are. */
function offerToSave(chart) {
  const row = document.createElement("p");
  row.className = "save";
  for (const format of ["SVG", "PNG"]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = format;
    button.title = `Save this chart as ${format}`;
    button.onclick = () => save(chart, format.toLowerCase());
    row.append(button);
  }
  chart.after(row);
}

function save(chart, format) {
  const copy = chart.cloneNode(true);
  const seen = [chart, ...chart.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((part, place) => {
    const looks = getComputedStyle(seen[place]);
    LOOKS.forEach((name) => part.style.setProperty(name, looks.getPropertyValue(name)));
  });
  copy.querySelectorAll(".tip").forEach((tip) => tip.remove());
  const { width, height } = chart.viewBox.baseVal;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.style.background = getComputedStyle(chart).getPropertyValue("--page");
  const file = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  const name = (chart.getAttribute("aria-label") || "chart").toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 60);
  if (format === "svg") return download(file, `${name}.svg`);
  const picture = new Image();
  picture.onload = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * width, 2 * height];
    const pen = canvas.getContext("2d");
    pen.fillStyle = copy.style.background || "white";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((png) => download(png, `${name}.png`), "image/png");
    URL.revokeObjectURL(picture.src);
  };
  picture.src = URL.createObjectURL(file);
}

function download(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
