// The plot of a report, from the same figures as the table under it. Without JavaScript the table stands alone.
(function () {
  "use strict";
  const box = document.querySelector("[data-plot]");
  const source = document.getElementById("plot-data");
  if (!box || !source || !window.Chart) return;
  const plot = JSON.parse(source.textContent);
  if (!plot.labels.length) return;
  box.hidden = false;

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // As the pages write money in every language: a comma for thousands, a point for cents.
  const written = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const sign = (value) => (value < 0 ? "\u2212" : "");
  const looks = {
    in: () => ({ type: "bar", backgroundColor: token("--at-ok"), order: 2 }),
    back: () => ({ type: "bar", backgroundColor: token("--at-bad"), order: 2 }),
    net: () => ({
      type: "line", order: 1, borderColor: token("--at-ink"), backgroundColor: token("--at-surface"),
      borderWidth: 2, pointRadius: 3, pointBorderWidth: 2, tension: 0,
    }),
  };

  let chart = null;
  function draw() {
    if (chart) chart.destroy();
    const ink = token("--at-muted");
    const line = token("--at-line");
    chart = new window.Chart(box.querySelector("canvas"), {
      data: {
        labels: plot.labels,
        datasets: plot.series.map((each) => ({ label: each.label, data: each.data.map(Number), maxBarThickness: 36, borderRadius: 2, ...looks[each.kind]() })),
      },
      options: {
        responsive: true,
        maintainAspectRatio: false,
        animation: false,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: { grid: { display: false }, border: { color: line }, ticks: { color: ink, autoSkipPadding: 12, maxRotation: 0 } },
          y: { grid: { color: line }, border: { display: false }, ticks: { color: ink, maxTicksLimit: 6, callback: (value) => sign(value) + whole.format(Math.abs(value)) } },
        },
        plugins: {
          legend: { position: "bottom", labels: { color: token("--at-ink"), usePointStyle: true, boxHeight: 7 } },
          tooltip: {
            callbacks: {
              title: (items) => plot.titles[items[0].dataIndex],
              label: (item) => item.dataset.label + ": " + sign(item.parsed.y) + plot.currency + "\u00a0" + written.format(Math.abs(item.parsed.y)),
            },
          },
        },
      },
    });
  }
  window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  draw();
  // The colours are the page's, in the light and in the dark.
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => requestAnimationFrame(draw));
})();
