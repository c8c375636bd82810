//! How is a batch stored?

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::BatchIndexAndErrorMessage;
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use model::Offset;

use crate::connection::{Api, Client};
use crate::error::{ProduceError, sentence};
use crate::topics::topic_name;

const PRODUCE: Api = Api::new(0, "Produce", 3, 12);

/// When a batch counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acks {
    /// Never: nothing is answered, the offset is -1.
    None,
    /// When the leader has it.
    Leader,
    /// When it is durable on all replicas in sync.
    #[default]
    All,
}

impl Client {
    /// Sends one batch (see [`wire::BatchBuilder`]); answers the offset of its first record.
    pub async fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Bytes,
        acks: Acks,
    ) -> Result<Offset, ProduceError> {
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
        let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
        let timeout_ms = self.timeout_ms();
        let request = |_| {
            ProduceRequest::default()
                .with_transactional_id(None)
                .with_acks(match acks {
                    Acks::None => 0,
                    Acks::Leader => 1,
                    Acks::All => -1,
                })
                .with_timeout_ms(timeout_ms)
                .with_topic_data(vec![data])
        };
        if acks == Acks::None {
            self.tell(PRODUCE, request).await?;
            return Ok(Offset(-1));
        }
        let answer: ProduceResponse = self.call(PRODUCE, Duration::ZERO, request).await?;
        let result = answer.responses.first().and_then(|topic| topic.partition_responses.first());
        let result = result.ok_or_else(|| self.nonsense(PRODUCE, "it is empty"))?;
        if result.error_code == 0 {
            return Ok(Offset(result.base_offset));
        }
        let record = |error: &BatchIndexAndErrorMessage| {
            let why = error.batch_index_error_message.as_ref().map(|why| why.to_string());
            (error.batch_index, why.unwrap_or_default())
        };
        let why = sentence(result.error_code, result.error_message.as_deref());
        Err(ProduceError {
            code: result.error_code,
            message: format!("partition {partition} of topic '{topic}' did not store the batch: {why}"),
            record_errors: result.record_errors.iter().map(record).collect(),
        })
    }
}
