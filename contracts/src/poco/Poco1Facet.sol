// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "../lib/Types.sol";
import {PocoStorage, Store, K} from "../lib/Store.sol";
import {Blob} from "../lib/Blob.sol";
import {DealData, DealRecord} from "../lib/DealRecord.sol";
import {Ledger} from "../lib/Ledger.sol";
import {OrderHash} from "../lib/OrderHash.sol";
import {Orders} from "../lib/Orders.sol";
import {Sig} from "../lib/Sig.sol";

interface IOwned {
    function owner() external view returns (address);
}

interface IIsRegistered {
    function isRegistered(address entry) external view returns (bool);
}

interface IWorkerpoolPolicy {
    function m_workerStakeRatioPolicy() external view returns (uint256);

    function m_schedulerRewardRatioPolicy() external view returns (uint256);
}

/* Deals: four orders that fit together become one. */
contract Poco1Facet {
    event SchedulerNotice(address indexed workerpool, bytes32 dealid);
    event OrdersMatched(
        bytes32 dealid,
        bytes32 appHash,
        bytes32 datasetHash,
        bytes32 workerpoolHash,
        bytes32 requestHash,
        uint256 volume
    );
    event DealSponsored(bytes32 dealId, address sponsor);

    error IncompatibleDatasetOrder(string reason);

    function verifySignature(address account, bytes32 messageHash, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return Sig.verify(account, messageHash, signature);
    }

    function verifyPresignature(address account, bytes32 messageHash) external view returns (bool) {
        return account != address(0) && Orders.presigner(messageHash) == account;
    }

    function verifyPresignatureOrSignature(address account, bytes32 messageHash, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return signedBy(account, messageHash, Orders.get(messageHash), signature);
    }

    function matchOrders(
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder,
        RequestOrder calldata requestOrder
    ) external returns (bytes32) {
        return matchFor(appOrder, datasetOrder, workerpoolOrder, requestOrder, requestOrder.requester);
    }

    function sponsorMatchOrders(
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder,
        RequestOrder calldata requestOrder
    ) external returns (bytes32 dealId) {
        dealId = matchFor(appOrder, datasetOrder, workerpoolOrder, requestOrder, msg.sender);
        emit DealSponsored(dealId, msg.sender);
    }

    /* The four order hashes and their order slots (presigner and consumed volume). */
    struct Hashes {
        bytes32 app;
        bytes32 dataset;
        bytes32 workerpool;
        bytes32 request;
        uint256 appSlot;
        uint256 datasetSlot;
        uint256 workerpoolSlot;
        uint256 requestSlot;
    }

    function matchFor(
        AppOrder calldata a,
        DatasetOrder calldata s,
        WorkerpoolOrder calldata w,
        RequestOrder calldata r,
        address sponsor
    ) private returns (bytes32) {
        DealData memory d;
        checkTerms(a, s, w, r, d);
        checkRestrictions(a, s, w, r);
        Hashes memory h;
        checkSignatures(a, s, w, r, d, h);

        uint256 volume;
        {
            uint256 first = Orders.consumed(h.request, h.requestSlot);
            uint256 appUsed = Orders.consumed(h.app, h.appSlot);
            uint256 poolUsed = Orders.consumed(h.workerpool, h.workerpoolSlot);
            volume = min(min(a.volume - appUsed, w.volume - poolUsed), r.volume - first);
            uint256 dataUsed;
            if (d.dataset != address(0)) {
                dataUsed = Orders.consumed(h.dataset, h.datasetSlot);
                volume = min(volume, s.volume - dataUsed);
            }
            if (volume == 0) fail("60");
            Orders.setConsumed(h.app, h.appSlot, appUsed + volume);
            if (d.dataset != address(0)) Orders.setConsumed(h.dataset, h.datasetSlot, dataUsed + volume);
            Orders.setConsumed(h.workerpool, h.workerpoolSlot, poolUsed + volume);
            Orders.setConsumed(h.request, h.requestSlot, first + volume);
            d.botFirst = first;
            d.botSize = volume;
            bytes32 requestHash = h.request;
            bytes32 id;
            assembly ("memory-safe") {
                mstore(0, requestHash)
                mstore(32, first)
                id := keccak256(0, 64)
            }
            d.id = id;
        }

        d.appPrice = a.appprice;
        if (d.dataset != address(0)) d.datasetPrice = s.datasetprice;
        d.workerpoolPrice = w.workerpoolprice;
        d.startTime = block.timestamp;
        d.requester = r.requester;
        d.beneficiary = r.beneficiary;
        d.callback = r.callback;
        d.sponsor = sponsor;
        d.stakeRatio = IWorkerpoolPolicy(d.workerpool).m_workerStakeRatioPolicy();
        d.schedulerRewardRatio = IWorkerpoolPolicy(d.workerpool).m_schedulerRewardRatioPolicy();
        /* Must be computable for ever after: an overflow has to show now. */
        DealRecord.workerStake(d);

        Ledger.lock(sponsor, DealRecord.taskPrice(d) * volume);
        Ledger.lock(d.workerpoolOwner, DealRecord.poolStake(d) * volume);
        DealRecord.save(d, r.params);

        emit SchedulerNotice(d.workerpool, d.id);
        emit OrdersMatched(d.id, h.app, h.dataset, h.workerpool, h.request, volume);
        return d.id;
    }

    /* Codes 0x00 to 0x07. */
    function checkTerms(
        AppOrder calldata a,
        DatasetOrder calldata s,
        WorkerpoolOrder calldata w,
        RequestOrder calldata r,
        DealData memory d
    ) private view {
        uint256 category = r.category;
        if (category != w.category) fail("00");
        uint256 time = Store.load().categoryTime[category];
        if (time == 0) fail("01");
        d.category = category;
        unchecked {
            d.timeRef = time - 1;
        }
        uint256 trust = r.trust;
        if (trust > w.trust) fail("02");
        d.trust = trust > 1 ? trust : 1;
        if (r.appmaxprice < a.appprice) fail("03");
        if (r.datasetmaxprice < s.datasetprice) fail("04");
        if (r.workerpoolmaxprice < w.workerpoolprice) fail("05");
        bytes32 tag = a.tag | (s.tag & K.DATASET_TAG_MASK) | r.tag;
        if (tag & ~w.tag != 0) fail("06");
        if ((tag ^ a.tag) & bytes32(uint256(1)) != 0) fail("07");
        d.tag = uint256(tag);
        d.app = a.app;
        d.dataset = s.dataset;
        d.workerpool = w.workerpool;
    }

    /* Codes 0x10 to 0x1b. */
    function checkRestrictions(
        AppOrder calldata a,
        DatasetOrder calldata s,
        WorkerpoolOrder calldata w,
        RequestOrder calldata r
    ) private view {
        address app = a.app;
        address dataset = s.dataset;
        address pool = w.workerpool;
        address requester = r.requester;
        if (r.app != app) fail("10");
        if (r.dataset != dataset) fail("11");
        if (!Sig.authorized(r.workerpool, pool)) fail("12");
        if (!Sig.authorized(a.datasetrestrict, dataset)) fail("13");
        if (!Sig.authorized(a.workerpoolrestrict, pool)) fail("14");
        if (!Sig.authorized(a.requesterrestrict, requester)) fail("15");
        if (!Sig.authorized(s.apprestrict, app)) fail("16");
        if (!Sig.authorized(s.workerpoolrestrict, pool)) fail("17");
        if (!Sig.authorized(s.requesterrestrict, requester)) fail("18");
        if (!Sig.authorized(w.apprestrict, app)) fail("19");
        if (!Sig.authorized(w.datasetrestrict, dataset)) fail("1a");
        if (!Sig.authorized(w.requesterrestrict, requester)) fail("1b");
    }

    /* Codes 0x20 to 0x50; fills owners, hashes and order slots. */
    function checkSignatures(
        AppOrder calldata a,
        DatasetOrder calldata s,
        WorkerpoolOrder calldata w,
        RequestOrder calldata r,
        DealData memory d,
        Hashes memory h
    ) private view {
        PocoStorage storage $ = Store.load();
        bytes32 domain = $.domainSeparator;

        bool registered;
        (d.appOwner, registered) = ownerOf($.appRegistry, d.app);
        if (!registered) fail("20");
        h.app = OrderHash.typed(domain, OrderHash.app(a));
        h.appSlot = Orders.get(h.app);
        if (!signedBy(d.appOwner, h.app, h.appSlot, a.sign)) fail("21");

        if (d.dataset != address(0)) {
            (d.datasetOwner, registered) = ownerOf($.datasetRegistry, d.dataset);
            if (!registered) fail("30");
            h.dataset = OrderHash.typed(domain, OrderHash.dataset(s));
            h.datasetSlot = Orders.get(h.dataset);
            if (!signedBy(d.datasetOwner, h.dataset, h.datasetSlot, s.sign)) fail("31");
        }

        (d.workerpoolOwner, registered) = ownerOf($.workerpoolRegistry, d.workerpool);
        if (!registered) fail("40");
        h.workerpool = OrderHash.typed(domain, OrderHash.workerpool(w));
        h.workerpoolSlot = Orders.get(h.workerpool);
        if (!signedBy(d.workerpoolOwner, h.workerpool, h.workerpoolSlot, w.sign)) fail("41");

        h.request = OrderHash.typed(domain, OrderHash.request(r));
        h.requestSlot = Orders.get(h.request);
        if (!signedBy(r.requester, h.request, h.requestSlot, r.sign)) fail("50");
    }

    /*
     * Owner of a resource, and whether its registry knows it. A token of the registry itself is owned by whom the
     * registry says; anything else (an entry of a previous registry, or a stranger) is asked itself.
     */
    function ownerOf(address registry, address entry) private view returns (address owner, bool registered) {
        assembly ("memory-safe") {
            mstore(0, shl(224, 0x6352211e)) /* ownerOf(uint256) */
            mstore(4, entry)
            if staticcall(gas(), registry, 0, 36, 0, 32) {
                if gt(returndatasize(), 31) {
                    owner := mload(0)
                    registered := iszero(iszero(owner))
                }
            }
        }
        if (registered) return (owner, true);
        owner = IOwned(entry).owner();
        registered = IIsRegistered(registry).isRegistered(entry);
    }

    function signedBy(address account, bytes32 hash, uint256 slot, bytes calldata signature)
        private
        view
        returns (bool)
    {
        if (account != address(0) && address(uint160(slot)) == account) return true;
        return Sig.verify(account, hash, signature);
    }

    function min(uint256 x, uint256 y) private pure returns (uint256) {
        return x < y ? x : y;
    }

    /* Error("iExecV5-matchOrders-0x" ++ code), the form clients know. */
    function fail(bytes2 code) private pure {
        bytes32 text = bytes32("iExecV5-matchOrders-0x") | (bytes32(code) >> 176);
        assembly ("memory-safe") {
            mstore(0, shl(224, 0x08c379a0))
            mstore(4, 32)
            mstore(36, 24)
            mstore(68, text)
            revert(0, 100)
        }
    }

    function assertDatasetDealCompatibility(DatasetOrder calldata order, bytes32 dealId) external view {
        OrderHash.checkDataset(order);
        bytes32 hash = OrderHash.typed(Store.load().domainSeparator, OrderHash.dataset(order));
        uint256 slot = Orders.get(hash);
        if (Orders.consumed(hash, slot) >= order.volume) {
            revert IncompatibleDatasetOrder("Dataset order is revoked or fully consumed");
        }
        if (!signedBy(IOwned(order.dataset).owner(), hash, slot, order.sign)) {
            revert IncompatibleDatasetOrder("Invalid dataset order signature");
        }
        (DealData memory d,) = DealRecord.load(Blob.locate(dealId));
        if (d.requester == address(0)) revert IncompatibleDatasetOrder("Deal not found");
        if (d.dataset != address(0)) revert IncompatibleDatasetOrder("Deal already has a dataset");
        if (!Sig.authorized(order.apprestrict, d.app)) {
            revert IncompatibleDatasetOrder("App restriction not satisfied");
        }
        if (!Sig.authorized(order.workerpoolrestrict, d.workerpool)) {
            revert IncompatibleDatasetOrder("Workerpool restriction not satisfied");
        }
        if (!Sig.authorized(order.requesterrestrict, d.requester)) {
            revert IncompatibleDatasetOrder("Requester restriction not satisfied");
        }
        if (order.tag & K.DATASET_TAG_MASK & ~bytes32(d.tag) != 0) {
            revert IncompatibleDatasetOrder("Tag compatibility not satisfied");
        }
    }
}
