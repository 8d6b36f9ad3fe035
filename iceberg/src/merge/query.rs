//! Queries as syntax trees, made of the expressions of a statement.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    CaseWhen, Expr, GroupByExpr, Ident, LimitClause, ObjectName, ObjectNamePart, OrderBy,
    OrderByExpr, OrderByKind, Query, Select, SelectFlavor, SelectItem, SetExpr, TableAlias,
    TableFactor, TableWithJoins, Value, With,
};

/// A query: what it selects, under which names, from what.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) with: Option<With>,
    pub(super) items: Vec<(Expr, String)>,
    pub(super) from: Vec<TableWithJoins>,
    pub(super) condition: Option<Expr>,
    pub(super) order_by: Vec<OrderByExpr>,
    pub(super) limit: Option<Expr>,
}

impl Parts {
    pub(super) fn query(self) -> Query {
        let items = self.items.into_iter().map(|(expr, name)| SelectItem::ExprWithAlias {
            expr,
            alias: Ident::with_quote('"', name),
        });
        let order_by = (!self.order_by.is_empty()).then_some(OrderBy {
            kind: OrderByKind::Expressions(self.order_by),
            interpolate: None,
        });
        let limit = self.limit.map(|limit| LimitClause::LimitOffset {
            limit: Some(limit),
            offset: None,
            limit_by: Vec::new(),
        });
        Query {
            with: self.with,
            order_by,
            limit_clause: limit,
            ..select(items.collect(), self.from, self.condition)
        }
    }
}

/// `SELECT * FROM factor`.
pub(super) fn everything(with: Option<With>, factor: TableFactor) -> Query {
    let all = SelectItem::Wildcard(Default::default());
    Query { with, ..select(vec![all], vec![relation(factor)], None) }
}

fn select(
    projection: Vec<SelectItem>,
    from: Vec<TableWithJoins>,
    selection: Option<Expr>,
) -> Query {
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(Select {
            select_token: AttachedToken::empty(),
            optimizer_hints: Vec::new(),
            distinct: None,
            select_modifiers: None,
            top: None,
            top_before_distinct: false,
            projection,
            exclude: None,
            into: None,
            from,
            lateral_views: Vec::new(),
            prewhere: None,
            selection,
            connect_by: Vec::new(),
            group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
            cluster_by: Vec::new(),
            distribute_by: Vec::new(),
            sort_by: Vec::new(),
            having: None,
            named_window: Vec::new(),
            qualify: None,
            window_before_qualify: false,
            value_table_mode: None,
            flavor: SelectFlavor::Standard,
        }))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// A table that the statement's own planning knows, under an alias.
pub(super) fn table(namespace: &str, name: &str, alias: &str) -> TableFactor {
    let parts = [namespace, name].map(|part| ObjectNamePart::Identifier(quoted(part)));
    TableFactor::Table {
        name: ObjectName(parts.into()),
        alias: Some(TableAlias {
            explicit: true,
            name: quoted(alias),
            columns: Vec::new(),
            at: None,
        }),
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

/// A query as a table, under an alias.
pub(super) fn derived(query: Query, alias: &str) -> TableFactor {
    TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(TableAlias {
            explicit: true,
            name: quoted(alias),
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    }
}

pub(super) fn relation(factor: TableFactor) -> TableWithJoins {
    TableWithJoins { relation: factor, joins: Vec::new() }
}

pub(super) fn column(table: &str, name: &str) -> Expr {
    Expr::CompoundIdentifier(vec![quoted(table), quoted(name)])
}

pub(super) fn number(number: usize) -> Expr {
    Expr::value(Value::Number(number.to_string(), false))
}

pub(super) fn null() -> Expr {
    Expr::value(Value::Null)
}

/// `CASE WHEN … THEN … … ELSE otherwise END`; what is otherwise if there are no conditions.
pub(super) fn case(conditions: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    if conditions.is_empty() {
        return otherwise;
    }
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: conditions
            .into_iter()
            .map(|(condition, result)| CaseWhen { condition, result })
            .collect(),
        else_result: Some(Box::new(otherwise)),
    }
}

/// `NOT EXISTS (query)`.
pub(super) fn none_of(query: Query) -> Expr {
    Expr::Exists { subquery: Box::new(query), negated: true }
}

pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}
