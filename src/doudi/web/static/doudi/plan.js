// The map of a siting plan over its tables; without it (old browser, no file) the form and the tables stand alone.
const picture = JSON.parse(document.getElementById("picture").textContent);
const box = document.getElementById("map");
const note = document.getElementById("map-note");
const words = picture.words;

function tick(name, value) {
  const field = document.querySelector(`[name="${name}"][value="${CSS.escape(value)}"]`);
  if (field) {
    field.checked = !field.checked;
    return field.checked;
  }
  return null;
}

function choose(value) {
  const list = document.getElementById("open-sites");
  const option = list && [...list.options].find((one) => one.value === value);
  if (option) option.selected = !option.selected;
  return option ? option.selected : null;
}

function line(area, id, text) {
  const field = document.getElementById(area);
  if (!field) return;
  const kept = field.value.split("\n").filter((row) => row.trim() && (!id || row.trim().split(/[\s,]+/)[0] !== id));
  field.value = [...kept, text].join("\n");
}

async function draw() {
  const map = L.map(box, { zoomSnap: 0.25, attributionControl: false, preferCanvas: true });
  const bounds = L.featureGroup();
  const many = picture.sites.length > 60;
  // circles are measured on the map's own scale, so it needs a view before they are drawn
  const first = picture.sites[0] || picture.closed[0];
  map.setView(first ? first.at : [26.8, 106.7], 8);
  try {
    const answer = await fetch(box.dataset.boundaries);
    const areas = answer.ok ? await answer.json() : null;
    if (areas) {
      const layer = L.geoJSON(areas, {
        style: (area) => {
          const share = picture.counties[area.properties.adcode];
          return { color: "#7b8791", weight: 1, fillColor: share === undefined ? "#fff" : "#1d6335", fillOpacity: share === undefined ? 0.6 : 0.08 + 0.6 * share };
        },
        onEachFeature: (area, shape) => {
          const share = picture.counties[area.properties.adcode];
          if (share !== undefined) shape.bindTooltip(`${area.properties.name} ${words.covered} ${(share * 100).toFixed(1)}%`);
        },
      }).addTo(map);
      note.textContent = areas["审图号"] ? words.approval + areas["审图号"] : words.note;
      layer.bringToBack();
    }
  } catch {
    note.textContent = words.failed;
  }
  for (const [lat, lon, persons, covered] of picture.demand) {
    L.circleMarker([lat, lon], { radius: Math.min(9, 2 + Math.sqrt(persons) / 2), weight: 1, color: covered ? "#1d6335" : "#a61b1b", fillOpacity: 0.5 })
      .bindTooltip(`${persons} ${covered ? words.covered : words.not_covered}`).addTo(map).addTo(bounds);
  }
  for (const place of many ? [] : picture.closed) {
    const dot = L.circleMarker(place.at, { radius: 5, weight: 1, color: "#52606b", fillColor: "#fff", fillOpacity: 0.9 })
      .bindTooltip(`${place.name} · ${words.open}`).addTo(map).addTo(bounds);
    dot.on("click", () => {
      const on = choose(place.id);
      if (on !== null) dot.setStyle({ fillColor: on ? "#0f4c5c" : "#fff" });
    });
  }
  for (const place of picture.sites) {
    const said = [place.name, `${words.persons} ${place.load}`, place.kept ? words.kept : "", place.synthetic ? words.synthetic : ""].filter(Boolean).join(" · ");
    const icon = L.divIcon({ className: place.kept ? "pin kept" : "pin", iconSize: many ? [9, 9] : [16, 16] });
    const movable = Boolean(document.getElementById("move-sites")) && !place.kept;
    const pin = L.marker(place.at, { icon, draggable: movable, title: said, alt: said }).addTo(map).addTo(bounds);
    if (picture.radius) L.circle(place.at, { radius: picture.radius, weight: 1, color: "#0f4c5c", fillOpacity: 0.05, interactive: false }).addTo(map);
    pin.on("click", () => {
      const closed = tick("close", place.id);
      if (closed !== null) pin.getElement().classList.toggle("shut", closed);
    });
    pin.on("dragend", () => {
      const at = pin.getLatLng();
      line("move-sites", place.id, `${place.id} ${at.lng.toFixed(6)} ${at.lat.toFixed(6)}`);
    });
  }
  if (document.getElementById("add-sites")) {
    map.on("dblclick", (event) => {
      line("add-sites", "", `${event.latlng.lng.toFixed(6)} ${event.latlng.lat.toFixed(6)}`);
      L.circleMarker(event.latlng, { radius: 7, color: "#c05600" }).addTo(map);
    });
    map.doubleClickZoom.disable();
  }
  if (bounds.getLayers().length) map.fitBounds(bounds.getBounds().pad(many ? 0.02 : 0.15));
  box.dataset.drawn = "yes";
}

if (box && window.L) draw();
else if (box) {
  box.classList.add("off");
  note.textContent = words.failed;
}
