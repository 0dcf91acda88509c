// Pictures over the tables of a page; without them (old browser, no file) the tables stand alone.
const pictures = JSON.parse(document.getElementById("pictures").textContent);
const COLOURS = { red: "#a61b1b", orange: "#d9822b", yellow: "#d9b300", blue: "#2b6cb0", none: "#8a97a1" };
const PALETTE = ["#0f4c5c", "#d9822b", "#6a8d73"];
const FONT = getComputedStyle(document.body).fontFamily;
const SIZE = parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.8;

function draw(box) {
  const picture = pictures[box.dataset.chart];
  const flat = box.dataset.chart === "code" || box.dataset.chart === "township";
  const stacked = box.dataset.chart === "township";
  if (!window.echarts || !picture.labels.length) return box.classList.add("off");
  if (flat) box.style.height = `${Math.max(8, picture.labels.length * 1.7 + 4)}rem`;
  const across = Math.max(44, box.clientWidth / picture.labels.length - 8);
  const names = {
    type: "category", data: picture.labels, inverse: flat,
    axisLabel: { fontSize: SIZE, interval: picture.labels.length > 8 && !flat ? "auto" : 0, width: flat ? 150 : Math.min(116, across), overflow: flat ? "truncate" : "break" },
  };
  const counts = { type: "value", minInterval: 1, axisLabel: { fontSize: SIZE } };
  const chart = echarts.init(box, null, { renderer: "canvas" });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: FONT, fontSize: SIZE },
    color: PALETTE,
    grid: { left: 8, right: 24, top: picture.series.length > 1 ? 38 : 24, bottom: flat ? 8 : 20, containLabel: true },
    legend: picture.series.length > 1 ? { top: 0, textStyle: { fontSize: SIZE } } : undefined,
    tooltip: { trigger: "axis", axisPointer: { type: "shadow" } },
    xAxis: flat ? counts : names,
    yAxis: flat ? names : counts,
    series: picture.series.map((series) => ({
      name: series.name, type: "bar", barMaxWidth: 26, stack: stacked ? "all" : undefined,
      itemStyle: series.key ? { color: COLOURS[series.key] } : undefined,
      label: stacked ? undefined : { show: true, position: flat ? "right" : "top", fontSize: SIZE },
      data: series.values.map((value, at) =>
        picture.keys ? { value, itemStyle: { color: COLOURS[picture.keys[at]] } } : value),
    })),
  });
  window.addEventListener("resize", () => chart.resize());
}

async function drawMap(box) {
  const note = document.getElementById("map-note");
  const { counts, words, tips, colour = "#a61b1b" } = pictures.map;
  try {
    const answer = await fetch(box.dataset.boundaries);
    if (!answer.ok || !window.L) throw new Error("no boundaries");
    const areas = await answer.json();
    const most = Math.max(1, ...Object.values(counts));
    const map = L.map(box, { zoomSnap: 0.25, scrollWheelZoom: false, attributionControl: false });
    const layer = L.geoJSON(areas, {
      style: (area) => {
        const count = counts[area.properties.adcode] || 0;
        return {
          color: "#7b8791", weight: 1,
          fillColor: count ? colour : "#fff", fillOpacity: count ? 0.25 + (0.6 * count) / most : 0.8,
        };
      },
      onEachFeature: (area, shape) => {
        const code = area.properties.adcode;
        const said = tips ? tips[code] || "" : `${words.open} ${counts[code] || 0}`;
        shape.bindTooltip(`${area.properties.name} ${said}`);
      },
    }).addTo(map);
    // an office sees its own counties with their neighbours, not the whole file
    const own = L.featureGroup(layer.getLayers().filter((shape) => (tips || counts)[shape.feature.properties.adcode]));
    map.fitBounds(own.getLayers().length ? own.getBounds().pad(1.2) : layer.getBounds(), { padding: [4, 4] });
    note.textContent = areas["审图号"] ? words.approval + areas["审图号"] : words.no_approval;
  } catch {
    box.classList.add("off");
    note.textContent = words.failed;
  }
}

document.querySelectorAll("[data-chart]").forEach(draw);
const map = document.getElementById("map");
if (map) drawMap(map);
