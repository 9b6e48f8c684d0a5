// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    AppOrderOperation,
    DatasetOrderOperation,
    WorkerpoolOrderOperation,
    RequestOrderOperation,
    OrderOperation
} from "../lib/Types.sol";
import {Store} from "../lib/Store.sol";
import {OrderHash} from "../lib/OrderHash.sol";
import {Orders} from "../lib/Orders.sol";
import {Sig} from "../lib/Sig.sol";

interface IOwned {
    function owner() external view returns (address);
}

/* Presigning and closing orders, by their owner or with his signature of the operation. */
contract OrderManagementFacet {
    event SignedAppOrder(bytes32 appHash);
    event SignedDatasetOrder(bytes32 datasetHash);
    event SignedWorkerpoolOrder(bytes32 workerpoolHash);
    event SignedRequestOrder(bytes32 requestHash);
    event ClosedAppOrder(bytes32 appHash);
    event ClosedDatasetOrder(bytes32 datasetHash);
    event ClosedWorkerpoolOrder(bytes32 workerpoolHash);
    event ClosedRequestOrder(bytes32 requestHash);

    function manageAppOrder(AppOrderOperation calldata op) external {
        OrderHash.checkApp(op.order);
        bytes32 hash = apply_(
            IOwned(op.order.app).owner(),
            OrderHash.app(op.order),
            OrderHash.APP_OPERATION_TYPE,
            op.operation,
            op.order.volume,
            op.sign
        );
        if (op.operation == OrderOperation.SIGN) emit SignedAppOrder(hash);
        else emit ClosedAppOrder(hash);
    }

    function manageDatasetOrder(DatasetOrderOperation calldata op) external {
        OrderHash.checkDataset(op.order);
        bytes32 hash = apply_(
            IOwned(op.order.dataset).owner(),
            OrderHash.dataset(op.order),
            OrderHash.DATASET_OPERATION_TYPE,
            op.operation,
            op.order.volume,
            op.sign
        );
        if (op.operation == OrderOperation.SIGN) emit SignedDatasetOrder(hash);
        else emit ClosedDatasetOrder(hash);
    }

    function manageWorkerpoolOrder(WorkerpoolOrderOperation calldata op) external {
        OrderHash.checkWorkerpool(op.order);
        bytes32 hash = apply_(
            IOwned(op.order.workerpool).owner(),
            OrderHash.workerpool(op.order),
            OrderHash.WORKERPOOL_OPERATION_TYPE,
            op.operation,
            op.order.volume,
            op.sign
        );
        if (op.operation == OrderOperation.SIGN) emit SignedWorkerpoolOrder(hash);
        else emit ClosedWorkerpoolOrder(hash);
    }

    function manageRequestOrder(RequestOrderOperation calldata op) external {
        OrderHash.checkRequest(op.order);
        bytes32 hash = apply_(
            op.order.requester,
            OrderHash.request(op.order),
            OrderHash.REQUEST_OPERATION_TYPE,
            op.operation,
            op.order.volume,
            op.sign
        );
        if (op.operation == OrderOperation.SIGN) emit SignedRequestOrder(hash);
        else emit ClosedRequestOrder(hash);
    }

    function apply_(
        address owner,
        bytes32 structHash,
        bytes32 operationType,
        OrderOperation operation,
        uint256 volume,
        bytes calldata sign
    ) private returns (bytes32 hash) {
        bytes32 domain = Store.load().domainSeparator;
        if (msg.sender != owner) {
            bytes32 message =
                OrderHash.typed(domain, OrderHash.operation(operationType, structHash, uint256(operation)));
            require(Sig.verify(owner, message, sign), "invalid-sender-or-signature");
        }
        hash = OrderHash.typed(domain, structHash);
        if (operation == OrderOperation.SIGN) Orders.setPresigner(hash, owner);
        else Orders.setConsumed(hash, Orders.get(hash), volume);
    }
}
