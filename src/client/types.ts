/** What a client sees on the wire; docs/protocol.md, sections 2 to 4. Types only: nothing of it runs. */
export type { Agent, Conversation, ConversationStatus, Usage } from '../protocol/conversation.ts';
export type { ConversationRequest } from '../protocol/creation.ts';
export type { Ending } from '../protocol/ending.ts';
export type { StoredEvent as ConversationEvent } from '../protocol/events.ts';
export type { DurableFrame, StreamFrame, TurnDelta, TurnFailed, TurnStarted } from '../protocol/frames.ts';
export type {
  ApprovalRequest,
  ForkRequest,
  PauseRequest,
  RetractRequest,
  SayRequest,
} from '../protocol/hands.ts';
export type { ExportedConversation } from '../protocol/import.ts';
export type { Identity, Ticket } from '../protocol/keys.ts';
export type {
  CollectionSummary,
  DocumentFields,
  DocumentRequest,
  DocumentSummary,
  DocumentWithText,
  PassageList,
} from '../protocol/knowledge.ts';
export type { Page, SearchResult } from '../protocol/lists.ts';
export type { Message } from '../protocol/message.ts';
export type { ProviderStatus } from '../protocol/operations.ts';
export type { Fault as ProblemFault, Problem } from '../protocol/problem.ts';
export type {
  ConversationsQuery,
  KnowledgeQuery,
  LogQuery,
  MessagesQuery,
  PassagesQuery,
  SearchQuery,
} from '../protocol/requests.ts';
export type { Scenario, ScenarioRequest } from '../protocol/scenarios.ts';
export type { SearchHit } from '../protocol/search.ts';
export type { ConversationSettings } from '../protocol/settings.ts';
export type { TimelineEntry } from '../protocol/timeline.ts';
export type { MadeWebhook, Webhook, WebhookRequest, WebhookWithDeliveries } from '../protocol/webhooks.ts';
