//! Asks DNS everything that a posture is judged by.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::{dns::Dns, spf::answer};
use crate::{
    address::Domain,
    posture::Recorded,
    spf::{Answer, Question, cost},
};

/// For all questions about one domain together. What is not there by then counts as not answered.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

impl Dns {
    /// Two rounds of questions, each side by side; what SPF costs is asked about meanwhile, one term after another. At
    /// most [`crate::posture::MAX_QUESTIONS`] questions to the name server, and nobody else is asked anything.
    pub async fn posture(&self, domain: &Domain) -> Recorded {
        let deadline = Instant::now() + ANSWERS_WITHIN;
        let mut recorded = Recorded::new(domain.clone());
        let first_questions = recorded.first_questions();
        let rounds = async {
            self.record(&mut recorded, first_questions, deadline).await;
            let further_questions = recorded.further_questions();
            self.record(&mut recorded, further_questions, deadline).await;
        };
        let spf_cost = cost(|question| self.answer_by(deadline, question), domain.as_str());
        let ((), spf_cost) = tokio::join!(rounds, spf_cost);
        recorded.spf_cost = spf_cost;
        recorded
    }

    async fn record(&self, recorded: &mut Recorded, questions: Vec<Question>, deadline: Instant) {
        let answers = questions.into_iter().map(async |question| {
            let answer = self.answer_by(deadline, question.clone()).await;
            (question, answer)
        });
        for (question, answer) in join_all(answers).await {
            recorded.note(question, answer);
        }
    }

    async fn answer_by(&self, deadline: Instant, question: Question) -> Answer {
        timeout_at(deadline, answer(&self.resolver, question)).await.unwrap_or(Answer::Failed)
    }
}
