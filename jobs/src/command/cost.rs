//! `northstar cost`: what a job run cost.

use northstar_iceberg::{Error, ErrorKind, Result};

use crate::cli::submit::Cost;
use crate::emr::Service;
use crate::emr::cost::{Hours, Prices};
use crate::exit::Done;
use crate::printer::Printer;

pub(crate) async fn run(asked: &Cost, printer: &Printer) -> Result<Done> {
    let service = Service::of(&asked.of.place).await?;
    let run = service.run(&asked.of.run, None).await?;
    let Some(billed) = run.billed_resource_utilization() else {
        let text = "nothing was billed yet: the service tells it some time after the run is over";
        return Err(Error::new(ErrorKind::NotFound, text)
            .with_context("run", &run.job_run_id)
            .with_context("state", run.state.as_str()));
    };
    let prices = Prices::of(&service.region, &service.architecture().await?, &asked.prices)?;
    let hours = Hours {
        vcpu: billed.v_cpu_hour().unwrap_or_default(),
        memory_gb: billed.memory_gb_hour().unwrap_or_default(),
        storage_gb: billed.storage_gb_hour().unwrap_or_default(),
    };
    let usd = prices.usd(&hours);
    let rows = [
        ("vCPU", hours.vcpu, prices.vcpu_hour_usd, usd[0]),
        ("memory, GB", hours.memory_gb, prices.gb_hour_usd, usd[1]),
        ("storage beyond 20 GB", hours.storage_gb, prices.storage_gb_hour_usd, usd[2]),
    ];
    let mut rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(item, hours, price, usd)| {
            vec![
                (*item).to_string(),
                format!("{hours:.3}"),
                format!("{price:.7}"),
                format!("{usd:.6}"),
            ]
        })
        .collect();
    let sum = format!("{:.6}", usd.iter().sum::<f64>());
    rows.push(vec!["all".to_string(), String::new(), String::new(), sum]);
    printer.table(&["item", "billed hours", "usd per hour", "usd"], &rows)?;
    Ok(Done::Well)
}
