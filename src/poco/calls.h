/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.h - calldata of every PoCo call we make, the reading of it (vault), events
 *
 * Depends on: base, crypto, eth core, order.  Used by: poco, vault, scheduler, worker, sdk.  No
 * network. Encoders append to b and fail only for lack of room.
 * SPEC: poco.md#29-selectors-topics-errors
 */
#pragma once
#include "poco/order.h"

/* dataset NULL: the null order. */
SR_CHECK sr_status poco_enc_match(struct buf *b, const struct poco_order *app,
                                  const struct poco_order *dataset,
                                  const struct poco_order *workerpool,
                                  const struct poco_order *request, struct sr_err *err);
SR_CHECK sr_status poco_enc_manage(struct buf *b, const struct poco_order *o, poco_op op,
                                   struct slice op_sign, struct sr_err *err);
SR_CHECK sr_status poco_enc_initialize(struct buf *b, const struct hash *deal, struct u256 index,
                                       struct sr_err *err);
SR_CHECK sr_status poco_enc_contribute(struct buf *b, const struct hash *task,
                                       const struct hash *result_hash,
                                       const struct hash *result_seal, const struct addr *enclave,
                                       struct slice enclave_sign, struct slice auth_sign,
                                       struct sr_err *err);
SR_CHECK sr_status poco_enc_contribute_and_finalize(struct buf *b, const struct hash *task,
                                                    const struct hash *digest, struct slice results,
                                                    struct slice callback_data,
                                                    const struct addr *enclave,
                                                    struct slice enclave_sign,
                                                    struct slice auth_sign, struct sr_err *err);
SR_CHECK sr_status poco_enc_reveal(struct buf *b, const struct hash *task,
                                   const struct hash *digest, struct sr_err *err);
SR_CHECK sr_status poco_enc_finalize(struct buf *b, const struct hash *task, struct slice results,
                                     struct slice callback_data, struct sr_err *err);
SR_CHECK sr_status poco_enc_task(struct buf *b, const char *what /* "claim", "reopen" */,
                                 const struct hash *task, struct sr_err *err);
SR_CHECK sr_status poco_enc_claim_array(struct buf *b, const struct hash *tasks, size_t n,
                                        struct sr_err *err);
SR_CHECK sr_status poco_enc_init_and_claim_array(struct buf *b, const struct hash *deals,
                                                 const struct u256 *indexes, size_t n,
                                                 struct sr_err *err);
SR_CHECK sr_status poco_enc_create_app(struct buf *b, const struct addr *owner, struct slice name,
                                       struct slice type, struct slice multiaddr,
                                       const struct hash *checksum, struct slice mrenclave,
                                       struct sr_err *err);
SR_CHECK sr_status poco_enc_create_dataset(struct buf *b, const struct addr *owner,
                                           struct slice name, struct slice multiaddr,
                                           const struct hash *checksum, struct sr_err *err);
/* DataProtector's: with the schema's JSON text. */
SR_CHECK sr_status poco_enc_create_dataset_with_schema(struct buf *b, const struct addr *owner,
                                                       struct slice name, struct slice schema,
                                                       struct slice multiaddr,
                                                       const struct hash *checksum,
                                                       struct sr_err *err);
SR_CHECK sr_status poco_enc_create_workerpool(struct buf *b, const struct addr *owner,
                                              struct slice description, struct sr_err *err);
SR_CHECK sr_status poco_enc_change_policy(struct buf *b, uint64_t stake_ratio,
                                          uint64_t scheduler_ratio, struct sr_err *err);
/* RLC.approveAndCall(hub, amount, data); data empty: a deposit. */
SR_CHECK sr_status poco_enc_approve_and_call(struct buf *b, const struct addr *spender,
                                             struct u256 amount, struct slice data,
                                             struct sr_err *err);
SR_CHECK sr_status poco_enc_withdraw(struct buf *b, struct u256 amount, struct sr_err *err);
SR_CHECK sr_status erc20_enc_transfer(struct buf *b, const struct addr *to, struct u256 amount,
                                      struct sr_err *err);
SR_CHECK sr_status erc721_enc_transfer(struct buf *b, const struct addr *from,
                                       const struct addr *to, const struct addr *entry,
                                       struct sr_err *err);

/* ---- reading calldata: which call, its arguments (in ABI order, strictly decoded) */
#define POCO_CALLS(X)                                                                              \
    X(POCO_CALL_INITIALIZE, "initialize(bytes32,uint256)")                                         \
    X(POCO_CALL_CONTRIBUTE, "contribute(bytes32,bytes32,bytes32,address,bytes,bytes)")             \
    X(POCO_CALL_CONTRIBUTE_AND_FINALIZE,                                                           \
      "contributeAndFinalize(bytes32,bytes32,bytes,bytes,address,bytes,bytes)")                    \
    X(POCO_CALL_REVEAL, "reveal(bytes32,bytes32)")                                                 \
    X(POCO_CALL_REOPEN, "reopen(bytes32)")                                                         \
    X(POCO_CALL_FINALIZE, "finalize(bytes32,bytes,bytes)")                                         \
    X(POCO_CALL_CLAIM, "claim(bytes32)")                                                           \
    X(POCO_CALL_CLAIM_ARRAY, "claimArray(bytes32[])")                                              \
    X(POCO_CALL_INIT_ARRAY, "initializeArray(bytes32[],uint256[])")                                \
    X(POCO_CALL_INIT_AND_CLAIM_ARRAY, "initializeAndClaimArray(bytes32[],uint256[])")              \
    X(POCO_CALL_DEPOSIT, "deposit(uint256)")                                                       \
    X(POCO_CALL_WITHDRAW, "withdraw(uint256)")                                                     \
    X(POCO_CALL_APPROVE_AND_CALL, "approveAndCall(address,uint256,bytes)")                         \
    X(POCO_CALL_TRANSFER, "transfer(address,uint256)")                                             \
    X(POCO_CALL_APPROVE, "approve(address,uint256)")
#define POCO_CALL_ENUM(name, sig) name,
typedef enum { POCO_CALLS(POCO_CALL_ENUM) POCO_CALL_N } poco_call;
#undef POCO_CALL_ENUM
/* SR_E_NOTFOUND: none of the table; SR_E_MALFORMED: arguments not canonical. ret owned:
 * abi_out_done. */
SR_CHECK sr_status poco_call_read(struct slice data, poco_call *ret_call, struct abi_out *ret,
                                  struct sr_err *err);
const char *poco_call_signature(poco_call c);

/* ---- events. X(name, signature, indexed: one letter an argument, 'i' indexed, '.' not). A tuple
 * counts as its members, which must be of fixed size. */
#define POCO_EVENTS(X)                                                                             \
    X(POCO_EV_ORDERS_MATCHED, "OrdersMatched(bytes32,bytes32,bytes32,bytes32,bytes32,uint256)",    \
      "......")                                                                                    \
    X(POCO_EV_SCHEDULER_NOTICE, "SchedulerNotice(address,bytes32)", "i.")                          \
    X(POCO_EV_DEAL_SPONSORED, "DealSponsored(bytes32,address)", "..")                              \
    X(POCO_EV_TASK_INITIALIZE, "TaskInitialize(bytes32,address)", "ii")                            \
    X(POCO_EV_TASK_CONTRIBUTE, "TaskContribute(bytes32,address,bytes32)", "ii.")                   \
    X(POCO_EV_TASK_CONSENSUS, "TaskConsensus(bytes32,bytes32)", "i.")                              \
    X(POCO_EV_TASK_REVEAL, "TaskReveal(bytes32,address,bytes32)", "ii.")                           \
    X(POCO_EV_TASK_REOPEN, "TaskReopen(bytes32)", "i")                                             \
    X(POCO_EV_TASK_FINALIZE, "TaskFinalize(bytes32,bytes)", "i.")                                  \
    X(POCO_EV_TASK_CLAIMED, "TaskClaimed(bytes32)", "i")                                           \
    X(POCO_EV_ACCURATE, "AccurateContribution(address,bytes32)", "ii")                             \
    X(POCO_EV_FAULTY, "FaultyContribution(address,bytes32)", "ii")                                 \
    X(POCO_EV_CLOSED_APP, "ClosedAppOrder(bytes32)", ".")                                          \
    X(POCO_EV_CLOSED_DATASET, "ClosedDatasetOrder(bytes32)", ".")                                  \
    X(POCO_EV_CLOSED_WORKERPOOL, "ClosedWorkerpoolOrder(bytes32)", ".")                            \
    X(POCO_EV_CLOSED_REQUEST, "ClosedRequestOrder(bytes32)", ".")                                  \
    X(POCO_EV_SIGNED_APP, "SignedAppOrder(bytes32)", ".")                                          \
    X(POCO_EV_SIGNED_DATASET, "SignedDatasetOrder(bytes32)", ".")                                  \
    X(POCO_EV_SIGNED_WORKERPOOL, "SignedWorkerpoolOrder(bytes32)", ".")                            \
    X(POCO_EV_SIGNED_REQUEST, "SignedRequestOrder(bytes32)", ".")                                  \
    X(POCO_EV_CREATE_CATEGORY, "CreateCategory(uint256,string,string,uint256)", "....")            \
    X(POCO_EV_TRANSFER20, "Transfer(address,address,uint256)", "ii.")                              \
    X(POCO_EV_TRANSFER721, "Transfer(address,address,uint256)", "iii")                             \
    X(POCO_EV_DATASET_SCHEMA, "DatasetSchema(address,string)", "i.")                               \
    X(POCO_EV_POLICY_UPDATE, "PolicyUpdate(uint256,uint256,uint256,uint256)", "....")              \
    X(POCO_EV_LOCK, "Lock(address,uint256)", "..")                                                 \
    X(POCO_EV_UNLOCK, "Unlock(address,uint256)", "..")                                             \
    X(POCO_EV_REWARD, "Reward(address,uint256,bytes32)", "...")                                    \
    X(POCO_EV_SEIZE, "Seize(address,uint256,bytes32)", "...")                                      \
    X(POCO_EV_APPROVAL20, "Approval(address,address,uint256)", "ii.")                              \
    X(POCO_EV_APPROVAL721, "Approval(address,address,uint256)", "iii")                             \
    X(POCO_EV_APPROVAL_FOR_ALL, "ApprovalForAll(address,address,bool)", "ii.")                     \
    X(POCO_EV_OWNERSHIP, "OwnershipTransferred(address,address)", "ii")                            \
    X(POCO_EV_MEMBER_SET, "MemberSet(address,bool)", "i.")                                         \
    X(POCO_EV_SHARE_MOVED, "ProtectedDataTransfer(address,uint256,uint256,address)", "....")       \
    X(POCO_EV_SHARE_PARAMS, "NewSubscriptionParams(uint256,(uint72,uint40))", "...")               \
    X(POCO_EV_SHARE_SUBSCRIPTION, "NewSubscription(uint256,address,uint48)", ".i.")                \
    X(POCO_EV_SHARE_BUNDLED, "ProtectedDataAddedForSubscription(uint256,address)", "..")           \
    X(POCO_EV_SHARE_UNBUNDLED, "ProtectedDataRemovedFromSubscription(uint256,address)", "..")      \
    X(POCO_EV_SHARE_RENTABLE, "ProtectedDataAddedForRenting(uint256,address,(uint72,uint40))",     \
      "....")                                                                                      \
    X(POCO_EV_SHARE_UNRENTABLE, "ProtectedDataRemovedFromRenting(uint256,address)", "..")          \
    X(POCO_EV_SHARE_RENTAL, "NewRental(uint256,address,address,uint48)", "....")                   \
    X(POCO_EV_SHARE_FOR_SALE, "ProtectedDataAddedForSale(uint256,address,uint72)", "...")          \
    X(POCO_EV_SHARE_NOT_FOR_SALE, "ProtectedDataRemovedFromSale(uint256,address)", "..")           \
    X(POCO_EV_SHARE_SOLD, "ProtectedDataSold(uint256,address,address)", "...")                     \
    X(POCO_EV_SHARE_CONSUMED, "ProtectedDataConsumed(bytes32,address,uint8)", "...")               \
    X(POCO_EV_WHITELIST_APP, "NewAppAddedToAddOnlyAppWhitelist(address)", ".")
#define POCO_EVENT_ENUM(name, sig, idx) name,
typedef enum { POCO_EVENTS(POCO_EVENT_ENUM) POCO_EV_N } poco_event;
#undef POCO_EVENT_ENUM
struct hash poco_topic(poco_event e);
/* Up to 6 arguments in the order of the signature. bytes and string are borrowed from data. */
struct poco_log {
    poco_event event;
    struct abi_val arg[6];
    size_t n;
};
/* SR_E_NOTFOUND: none of the table; SR_E_MALFORMED. (Who emitted it is the caller's check.) */
SR_CHECK sr_status poco_log_read(const struct hash *topics, size_t n_topics, struct slice data,
                                 struct poco_log *ret, struct sr_err *err);
