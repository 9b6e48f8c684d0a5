// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "../lib/Types.sol";
import {PocoStorage, Store} from "../lib/Store.sol";
import {LibDiamond} from "../lib/Diamond.sol";
import {Ledger} from "../lib/Ledger.sol";

interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);

    function transferFrom(address from, address to, uint256 amount) external returns (bool);

    function balanceOf(address owner) external view returns (uint256);
}

interface IApprovalReceiver {
    function receiveApproval(address sender, uint256 amount, address token, bytes calldata data)
        external
        returns (bool);
}

/* RLC in, staked RLC (an ERC-20 of its own) out, and back. */
contract EscrowTokenFacet {
    event Approval(address indexed owner, address indexed spender, uint256 value);

    error UnsupportedOperation(bytes4 selector);
    error CallerIsNotTheRequester();
    error OperationFailed();

    bytes4 private constant MATCH_ORDERS = 0x156194d4;

    receive() external payable {
        revert("fallback-disabled");
    }

    fallback() external payable {
        revert("fallback-disabled");
    }

    function deposit(uint256 amount) external returns (bool) {
        pull(msg.sender, amount);
        Ledger.mint(msg.sender, amount);
        return true;
    }

    function depositFor(uint256 amount, address target) external returns (bool) {
        pull(msg.sender, amount);
        Ledger.mint(target, amount);
        return true;
    }

    function depositForArray(uint256[] calldata amounts, address[] calldata targets) external returns (bool) {
        require(amounts.length == targets.length, "invalid-array-length");
        for (uint256 i = 0; i < amounts.length; ++i) {
            pull(msg.sender, amounts[i]);
            Ledger.mint(targets[i], amounts[i]);
        }
        return true;
    }

    function withdraw(uint256 amount) external returns (bool) {
        Ledger.burn(msg.sender, amount);
        push(msg.sender, amount);
        return true;
    }

    function withdrawTo(uint256 amount, address target) external returns (bool) {
        Ledger.burn(msg.sender, amount);
        push(target, amount);
        return true;
    }

    /* RLC that came without a deposit becomes the owner's stake. */
    function recover() external returns (uint256 delta) {
        address owner = LibDiamond.load().owner;
        require(msg.sender == owner, "Ownable: caller is not the owner");
        PocoStorage storage $ = Store.load();
        delta = IToken($.token).balanceOf(address(this)) - $.totalSupply;
        Ledger.mint(owner, delta);
    }

    /* RLC's approveAndCall: deposits for `sender`; with calldata of matchOrders, then makes the deal he requests. */
    function receiveApproval(address sender, uint256 amount, address token, bytes calldata data)
        external
        returns (bool)
    {
        require(token == Store.load().token, "wrong-token");
        pull(sender, amount);
        Ledger.mint(sender, amount);
        if (data.length == 0) return true;
        bytes4 selector = bytes4(data[:4]);
        if (selector != MATCH_ORDERS) revert UnsupportedOperation(selector);
        checkRequester(sender, data[4:]);
        (bool ok, bytes memory failure) = address(this).delegatecall(data);
        if (!ok) {
            if (failure.length == 0) revert OperationFailed();
            assembly ("memory-safe") {
                revert(add(failure, 32), mload(failure))
            }
        }
        return true;
    }

    function checkRequester(address sender, bytes calldata args) private pure {
        (,,, RequestOrder memory order) = abi.decode(args, (AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder));
        if (order.requester != sender) revert CallerIsNotTheRequester();
    }

    function transfer(address recipient, uint256 amount) external returns (bool) {
        Ledger.transfer(msg.sender, recipient, amount);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        setAllowance(msg.sender, spender, value);
        return true;
    }

    function approveAndCall(address spender, uint256 value, bytes calldata data) external returns (bool) {
        setAllowance(msg.sender, spender, value);
        require(IApprovalReceiver(spender).receiveApproval(msg.sender, value, address(this), data), "approval-refused");
        return true;
    }

    function transferFrom(address sender, address recipient, uint256 amount) external returns (bool) {
        Ledger.transfer(sender, recipient, amount);
        setAllowance(sender, msg.sender, minus(Store.load().allowances[sender][msg.sender], amount));
        return true;
    }

    function increaseAllowance(address spender, uint256 addedValue) external returns (bool) {
        setAllowance(msg.sender, spender, Store.load().allowances[msg.sender][spender] + addedValue);
        return true;
    }

    function decreaseAllowance(address spender, uint256 subtractedValue) external returns (bool) {
        setAllowance(msg.sender, spender, minus(Store.load().allowances[msg.sender][spender], subtractedValue));
        return true;
    }

    function setAllowance(address owner, address spender, uint256 value) private {
        require(owner != address(0), "ERC20: approve from the zero address");
        require(spender != address(0), "ERC20: approve to the zero address");
        Store.load().allowances[owner][spender] = value;
        emit Approval(owner, spender, value);
    }

    /* Too little allowance is an empty revert, as it always was. */
    function minus(uint256 a, uint256 b) private pure returns (uint256) {
        require(b <= a);
        unchecked {
            return a - b;
        }
    }

    function pull(address from, uint256 amount) private {
        require(IToken(Store.load().token).transferFrom(from, address(this), amount), "failed-transferFrom");
    }

    function push(address to, uint256 amount) private {
        require(IToken(Store.load().token).transfer(to, amount), "failed-transfer");
    }
}
