// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {PocoStorage, Store, K} from "./Store.sol";

/*
 * Staked RLC. Balance and locked amount of an account share a slot; what is locked anywhere sits in the hub's own
 * balance. The sum of balances is the total supply, which is checked to fit 128 bits, so no half overflows.
 * Zero amounts emit their events and touch no storage.
 *
 * The hub locks nothing of its own, and the kitty's locked amount moves with the hub's balance only: so the kitty's is
 * kept in the hub's slot. Neither can sign an order, so lock() never meets them; it refuses them all the same.
 */
library Ledger {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event Lock(address owner, uint256 amount);
    event Unlock(address owner, uint256 amount);
    event Reward(address owner, uint256 amount, bytes32 ref);
    event Seize(address owner, uint256 amount, bytes32 ref);

    uint256 private constant LOW = type(uint128).max;

    function balance(address a) internal view returns (uint256) {
        return Store.load().accounts[a] & LOW;
    }

    function frozen(address a) internal view returns (uint256) {
        if (a == K.KITTY) a = address(this);
        else if (a == address(this)) return 0;
        return Store.load().accounts[a] >> 128;
    }

    function mint(address to, uint256 v) internal {
        require(to != address(0), "ERC20: mint to the zero address");
        PocoStorage storage $ = Store.load();
        uint256 supply = $.totalSupply + v;
        require(supply <= LOW);
        $.totalSupply = supply;
        $.accounts[to] += v;
        emit Transfer(address(0), to, v);
    }

    function burn(address from, uint256 v) internal {
        PocoStorage storage $ = Store.load();
        uint256 acc = $.accounts[from];
        if (v > acc & LOW) revert();
        $.accounts[from] = acc - v;
        $.totalSupply -= v;
        emit Transfer(from, address(0), v);
    }

    function transfer(address from, address to, uint256 v) internal {
        require(from != address(0), "ERC20: transfer from the zero address");
        require(to != address(0), "ERC20: transfer to the zero address");
        PocoStorage storage $ = Store.load();
        uint256 acc = $.accounts[from];
        if (v > acc & LOW) revert();
        $.accounts[from] = acc - v;
        $.accounts[to] += v;
        emit Transfer(from, to, v);
    }

    function lock(address a, uint256 v) internal {
        require(a != address(0), "IexecEscrow: Transfer from empty address");
        if (v != 0) {
            require(a != address(this) && a != K.KITTY);
            PocoStorage storage $ = Store.load();
            uint256 acc = $.accounts[a];
            require(v <= acc & LOW, "IexecEscrow: Transfer amount exceeds balance");
            $.accounts[a] = acc - v + (v << 128);
            $.accounts[address(this)] += v;
        }
        emit Transfer(a, address(this), v);
        emit Lock(a, v);
    }

    function unlock(address a, uint256 v) internal {
        release(a, v);
        if (v != 0) {
            PocoStorage storage $ = Store.load();
            uint256 acc = $.accounts[a];
            /* Reverts with the arithmetic panic when less is locked. */
            $.accounts[a] = (((acc >> 128) - v) << 128) | (acc & LOW);
        }
        emit Unlock(a, v);
    }

    function reward(address a, uint256 v, bytes32 ref) internal {
        release(a, v);
        emit Reward(a, v, ref);
    }

    /* Takes a part of what the kitty has, if anything: the larger of a share and a minimum. */
    function drawKitty(address to, bytes32 ref) internal {
        uint256 all = frozen(K.KITTY);
        if (all == 0) return;
        uint256 part = (all * K.KITTY_RATIO) / 100;
        if (part < K.KITTY_MIN) part = K.KITTY_MIN;
        if (part > all) part = all;
        Store.load().accounts[address(this)] -= part << 128;
        emit Seize(K.KITTY, part, ref);
        reward(to, part, ref);
    }

    function seize(address a, uint256 v, bytes32 ref) internal {
        if (v != 0) {
            PocoStorage storage $ = Store.load();
            uint256 acc = $.accounts[a];
            $.accounts[a] = (((acc >> 128) - v) << 128) | (acc & LOW);
        }
        emit Seize(a, v, ref);
    }

    /* What a failed task's pool loses goes to the kitty: locked at once, the value stays in the hub's balance. */
    function fillKitty(uint256 v, bytes32 ref) internal {
        if (v != 0) Store.load().accounts[address(this)] += v << 128;
        emit Reward(K.KITTY, v, ref);
        emit Lock(K.KITTY, v);
    }

    function release(address a, uint256 v) private {
        require(a != address(0), "IexecEscrow: Transfer to empty address");
        if (v != 0) {
            PocoStorage storage $ = Store.load();
            uint256 acc = $.accounts[address(this)];
            require(v <= acc & LOW, "IexecEscrow: Transfer amount exceeds balance");
            $.accounts[address(this)] = acc - v;
            $.accounts[a] += v;
        }
        emit Transfer(address(this), a, v);
    }
}
