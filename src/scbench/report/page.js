
(() => {
  const specs = JSON.parse(document.getElementById("specs").textContent);
  for (const place of document.querySelectorAll("[data-chart]")) {
    const picture = place.firstElementChild;
    const live = document.createElement("div");
    place.append(live);
    vegaEmbed(live, specs[Number(place.dataset.chart)], {actions: false, renderer: "svg", ast: true})
      .then(() => { if (picture) picture.remove(); })
      .catch((error) => { live.remove(); console.error(error); });
  }
})();
