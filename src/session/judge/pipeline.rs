//! Writes between two Syncs, against `pipeline_write`.

use crate::guard::Breach;
use crate::guard::limits::PipelineLimit;

/// The pipeline that a client is sending.
#[derive(Debug, Default)]
pub struct Pipeline {
    writes: u64,
}

impl Pipeline {
    /// One more write is executed. `Some` once in a pipeline: at the one that goes over the limit. What follows a refused one up to
    /// the Sync is skipped by the server.
    pub fn write(&mut self, limit: &PipelineLimit) -> Option<Breach> {
        self.writes = self.writes.saturating_add(1);
        (self.writes == limit.max_writes.saturating_add(1)).then(|| limit.too_many_writes(self.writes))
    }

    /// The pipeline ended: what comes next is another transaction, or the next step of a longer one. Tells how many writes it had,
    /// where it had any.
    pub fn end(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.writes)).filter(|&writes| writes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Mode;

    #[test]
    fn a_pipeline_is_told_of_once_and_the_next_one_begins_at_zero() {
        let limit = PipelineLimit { mode: Mode::Warn, max_writes: 3 };
        let mut pipeline = Pipeline::default();
        for _ in 0..2 {
            let told: Vec<bool> = (0..6).map(|_| pipeline.write(&limit).is_some()).collect();
            assert_eq!(told, [false, false, false, true, false, false]);
            assert_eq!(pipeline.end(), Some(6));
            assert_eq!(pipeline.end(), None);
        }
    }
}
